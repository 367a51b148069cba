import { isObject } from '../../protocol/text/json-object.ts';
import type { ModelRequest, UpstreamBodyOptions } from './endpoints/endpoint.ts';
import { searchParameters } from './refuse-unbounded.ts';
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
  const changes = changesOfName(asked, deployment, defaultsOfChat);
  if (asked.outputLimit?.parameter !== parameter || asked.outputLimit.tokens !== outputTokens) {
    // The other name may be there as null.
    const other = parameter === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
    if (other in asked.value) changes.set(other, null);
    changes.set(parameter, String(outputTokens));
  }
  addStreamUsage(changes, asked, deployment);
  return spliceTopLevel(body, asked.members, changes);
}

/** What a deployment's `defaults` may say of a chat completion. */
const defaultsOfChat = [
  ...['temperature', 'top_p', 'top_k', 'min_p', 'seed', 'stop', 'frequency_penalty', 'presence_penalty'],
  ...['repetition_penalty', 'reasoning_effort', 'verbosity', 'parallel_tool_calls', 'user'],
];

/** Whether providers would refuse a default for what the request says otherwise, or leaves out. */
function refusedBeside(name: string, { reasoning, tools }: ModelRequest['value']): boolean {
  if (name === 'parallel_tool_calls') return !Array.isArray(tools) || tools.length === 0;
  return name === 'reasoning_effort' && (reasoning ?? null) !== null;
}

/**
 * What differs at every endpoint: the model's name at the provider, what is for the relay, and what the deployment says for those who do
 * not say it themselves.
 * @param defaults the members of `defaults` that the endpoint has
 */
export function changesOfName(
  asked: ModelRequest,
  deployment: Deployment,
  defaults: readonly string[] = [],
): Map<string, string | null> {
  const changes = new Map<string, string | null>();
  const { value } = asked;
  // These are for the relay; elsewhere they might be obeyed once more, or refused.
  if ('fallback_models' in value) changes.set('fallback_models', null);
  // What says that nothing is to be searched must not be read otherwise elsewhere; OpenAI's wire does not know it.
  if (asked.search === undefined) {
    for (const name of searchParameters) if (name in value) changes.set(name, null);
  }
  if (Array.isArray(value['tags'])) changes.set('tags', null);
  if (isObject(value['metadata']) && Array.isArray(value['metadata']['tags'])) {
    const { tags: _, ...others } = value['metadata'];
    changes.set('metadata', Object.keys(others).length === 0 ? null : JSON.stringify(others));
  }
  if (asked.model !== deployment.model) changes.set('model', JSON.stringify(deployment.model));
  if (deployment.defaults) {
    for (const name of defaults) {
      const said = deployment.defaults[name];
      if (said === undefined || (value[name] ?? null) !== null || refusedBeside(name, value)) continue;
      changes.set(name, JSON.stringify(said));
    }
  }
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
