import type { ChatRequest } from './parse-chat-request.ts';
import { spliceTopLevel } from './splice-top-level.ts';
import type { Deployment, OutputLimitParameter, Route } from './types.ts';

/** What the upstream's body is made from. */
export interface UpstreamBodyOptions {
  body: Buffer;
  chat: ChatRequest;
  route: Pick<Route, 'outputLimitParameter'>;
  deployment: Deployment;
  /** The output bound of the quote: always sent, so that the quote is true. */
  outputTokens: number;
}

/**
 * The body for an upstream: the client's bytes, but for the members that must differ: the model's name at the provider, `fallback_models`,
 * the output limit where it is missing, too high or under a name that the provider does not take, and for streams
 * `stream_options.include_usage`, which brings the usage that is charged; a provider that refuses the member gives usage unasked.
 */
export function buildUpstreamBody(options: UpstreamBodyOptions): Buffer {
  const { body, chat, deployment, outputTokens } = options;
  const { quirks } = deployment;
  const parameter: OutputLimitParameter =
    options.route.outputLimitParameter ?? quirks?.outputLimitParameter ?? 'max_completion_tokens';
  const changes = new Map<string, string | null>();
  // It is for the relay; elsewhere it might be obeyed once more.
  if ('fallback_models' in chat.value) changes.set('fallback_models', null);
  if (chat.model !== deployment.model) changes.set('model', JSON.stringify(deployment.model));
  if (chat.outputLimit?.parameter !== parameter || chat.outputLimit.tokens !== outputTokens) {
    // The other name may be there as null.
    const other = parameter === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
    if (other in chat.value) changes.set(other, null);
    changes.set(parameter, String(outputTokens));
  }
  if (quirks?.takesStreamOptions === false) {
    if ('stream_options' in chat.value) changes.set('stream_options', null);
  } else if (chat.stream && !chat.includeUsage) {
    const asked = chat.value['stream_options'] as object | null | undefined;
    changes.set('stream_options', JSON.stringify({ ...asked, include_usage: true }));
  }
  return spliceTopLevel(body, chat.members, changes);
}
