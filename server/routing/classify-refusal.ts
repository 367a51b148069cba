import type { UpstreamRefusal } from '../call/router.ts';

/** What a failed attempt means for what is tried next. */
export type FailureClass =
  /** It may pass here, or elsewhere. */
  | 'transient'
  /** The provider asks for a pause. */
  | 'rate_limit'
  /** The relay's key, or its account, is not welcome there. */
  | 'refused_key'
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
/** Of a 403 that is about the relay, whatever other words are in it. */
const accountWords = /\b(?:account|organi[sz]ation|project|subscription|billing|key)\b/i;

/**
 * What a refusal means.
 * @param refusal what the provider said; null where that is none of the client's business
 */
export function classifyRefusal(status: number, refusal: UpstreamRefusal | null): FailureClass {
  if (status === 401 || status === 402 || status === 407) return 'refused_key';
  if (status === 429) return 'rate_limit';
  if (status < 400 || status === 408 || status >= 500) return 'transient';
  const { code, message, type } = refusal?.error ?? { code: null, message: '', type: '' };
  const names = [code, type];
  if (contextCodes.some((name) => names.includes(name))) return 'context_window';
  if (policyCodes.some((name) => names.includes(name))) return 'content_policy';
  // OpenRouter refuses flagged content so: one payer's prompt must not rest the provider for all.
  if (status === 403 && accountWords.test(message)) return 'refused_key';
  if (![400, 403, 413, 422].includes(status)) return 'request';
  if (contextWords.test(message)) return 'context_window';
  if (policyWords.test(message)) return 'content_policy';
  return status === 403 ? 'refused_key' : 'request';
}
