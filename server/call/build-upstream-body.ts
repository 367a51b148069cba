import type { ModelRequest, UpstreamBodyOptions } from './endpoints/endpoint.ts';
import { spliceTopLevel } from './splice-top-level.ts';
import type { Deployment, OutputLimitParameter } from './types.ts';

/**
 * The body of a chat completion for an upstream: the client's bytes, but for the members that must differ: the model's name at the
 * provider, `fallback_models`, the output limit where it is missing, too high or under a name that the provider does not take, and for
 * streams `stream_options.include_usage`, which brings the usage that is charged; a provider that refuses the member gives usage unasked.
 */
export function buildUpstreamBody(options: UpstreamBodyOptions): Buffer {
  const { body, asked, deployment, outputTokens } = options;
  const { quirks } = deployment;
  const parameter: OutputLimitParameter =
    options.route.outputLimitParameter ?? quirks?.outputLimitParameter ?? 'max_completion_tokens';
  const changes = changesOfName(asked, deployment);
  if (asked.outputLimit?.parameter !== parameter || asked.outputLimit.tokens !== outputTokens) {
    // The other name may be there as null.
    const other = parameter === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
    if (other in asked.value) changes.set(other, null);
    changes.set(parameter, String(outputTokens));
  }
  addStreamUsage(changes, asked, deployment);
  return spliceTopLevel(body, asked.members, changes);
}

/** What differs at every endpoint: the model's name at the provider, and what is for the relay. */
export function changesOfName(asked: ModelRequest, deployment: Deployment): Map<string, string | null> {
  const changes = new Map<string, string | null>();
  // It is for the relay; elsewhere it might be obeyed once more.
  if ('fallback_models' in asked.value) changes.set('fallback_models', null);
  if (asked.model !== deployment.model) changes.set('model', JSON.stringify(deployment.model));
  return changes;
}

/** Asks for usage in a stream, by `stream_options`. */
export function addStreamUsage(
  changes: Map<string, string | null>,
  asked: ModelRequest,
  { quirks }: Pick<Deployment, 'quirks'>,
): void {
  if (quirks?.takesStreamOptions === false) {
    if ('stream_options' in asked.value) changes.set('stream_options', null);
  } else if (asked.stream && !asked.includeUsage) {
    const options = asked.value['stream_options'] as object | null | undefined;
    changes.set('stream_options', JSON.stringify({ ...options, include_usage: true }));
  }
}
