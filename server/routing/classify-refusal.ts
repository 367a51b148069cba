import type { UpstreamRefusal } from '../call/router.ts';

/** What a failed attempt means for what is tried next. */
export type FailureClass =
  /** It may pass here, or elsewhere. */
  | 'transient'
  /** The provider asks for a pause. */
  | 'rate_limit'
  /** The relay's key, or its account, is not welcome there. */
  | 'refused_key'
  /**
   * No such model or endpoint is there (the names are the relay's), no room for so large a request, or an answer with nothing in it:
   * another deployment may have it, this one will not.
   */
  | 'absent'
  /** The prompt does not fit the model. */
  | 'context_window'
  /** The provider does not answer such content. */
  | 'content_policy'
  /** The request is wrong: it would be everywhere. */
  | 'request'
  /** Nothing more may be tried: given up by the relay, or too long an answer. */
  | 'final';

const contextCodes = ['context_length_exceeded', 'context_window_exceeded', 'string_above_max_length'];
const policyCodes = ['content_policy_violation', 'content_filter', 'content_filtered', 'moderation_blocked'];

/** How providers without codes put it: vLLM, Anthropic, Mistral, Together, Groq. */
const contextWords =
  /maximum context length|context (?:length|window)|prompt is too long|too many (?:input )?tokens|exceed(?:s|ed)? the (?:model|context)|reduce the length/i;
const policyWords = /content (?:policy|filter|management policy)|safety system|flagged|moderation/i;
/** xAI's 403 of content, which goes on to name the relay's team and key; nothing of a request stands before these words. */
const policyBeginnings = /^content violates usage guidelines/i;
/** Of a 403 or 412 that is about the relay, whatever other words are in it. */
const accountWords = /\b(?:account|organi[sz]ation|project|subscription|billing|key)\b/i;
/** What OpenAI, Moonshot and their like call an account without money, or a key that is none, under whatever status. */
const accountCodes = [
  ...['insufficient_quota', 'billing_hard_limit_reached', 'billing_not_active', 'account_deactivated'],
  ...['exceeded_current_quota_error', 'invalid_api_key', 'invalid_authentication_error'],
];
/** The same with 400, as Anthropic, xAI (in percent encoding) and Google begin it; nothing of a request stands before these words. */
const accountBeginnings =
  /^(?:your credit balance is too low|incorrect(?: |%20)api(?: |%20)key|api key (?:not|expired))/i;
/** One request above a minute's whole limit (OpenAI's 429, Groq's 413): smaller ones of others are answered. */
const tooLargeBeginning = /^request too large\b/i;
/** The endpoint or the model is not there, or no more. */
const absentStatuses = [404, 405, 410];

/**
 * What a refusal means.
 * @param error what the provider said
 */
export function classifyRefusal(status: number, { code, message, type }: UpstreamRefusal['error']): FailureClass {
  if (status === 401 || status === 402 || status === 407) return 'refused_key';
  if (status < 400 || status === 408 || status >= 500) return 'transient';
  const names = [code, type];
  if (accountCodes.some((name) => names.includes(name)) || accountBeginnings.test(message)) return 'refused_key';
  if (names.includes('rate_limit_exceeded') && tooLargeBeginning.test(message)) return 'absent';
  if (status === 429) return 'rate_limit';
  if (contextCodes.some((name) => names.includes(name))) return 'context_window';
  if (policyCodes.some((name) => names.includes(name)) || policyBeginnings.test(message)) return 'content_policy';
  // OpenAI says with 403 that one model is not for this project: the others of its key are.
  if (absentStatuses.includes(status) || names.includes('model_not_found')) return 'absent';
  // OpenRouter refuses flagged content so: one payer's prompt must not rest the provider for all.
  if ((status === 403 || status === 412) && accountWords.test(message)) return 'refused_key';
  if (![400, 403, 413, 422].includes(status)) return 'request';
  if (contextWords.test(message)) return 'context_window';
  if (policyWords.test(message)) return 'content_policy';
  return status === 403 ? 'refused_key' : 'request';
}

/** How providers name a model that they do not have. What else is not there may be so for one request only. */
const missingModels = ['model_not_found', 'model_not_available', 'DeploymentNotFound', 'not_found_error'];

/** Whether an absence is the deployment's own, whoever asks. */
export function isModelMissing({ code, type }: UpstreamRefusal['error']): boolean {
  return missingModels.some((name) => name === code || name === type);
}
