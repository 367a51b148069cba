import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { watchedParameters } from './refuse-unbounded.ts';

/** Members of a chat request that OpenAI's API, or the relay, gives a meaning. */
const requestKeys: ReadonlySet<string> = new Set([
  ...watchedParameters,
  ...[
    'audio',
    'extra_body',
    'fallback_models',
    'frequency_penalty',
    'function_call',
    'functions',
    'logit_bias',
    'logprobs',
  ],
  ...['max_completion_tokens', 'max_tokens', 'messages', 'metadata', 'modalities', 'model', 'n', 'parallel_tool_calls'],
  ...['presence_penalty', 'prompt_cache_key', 'prompt_cache_retention', 'reasoning_effort', 'response_format'],
  ...['safety_identifier', 'seed', 'service_tier', 'stop', 'store', 'stream', 'stream_options', 'temperature'],
  ...['tool_choice', 'tools', 'top_k', 'top_logprobs', 'top_p', 'user', 'verbosity'],
]);

const streamOptionKeys = new Set(['include_usage', 'include_obfuscation', 'continuous_usage_stats']);

/** Members of messages, of their parts and of tools that say what is not text, and so what is not bounded by its bytes. */
const partKeys = new Set([
  ...['audio', 'content', 'custom', 'file', 'file_id', 'function', 'id', 'image_url', 'input_audio', 'type'],
  ...['encrypted_content', 'input', 'output', 'role', 'source', 'summary'],
]);

/** Whatever folding changes: the capitals, and the only other letters that fold into ASCII (ſ, and the sign for kelvin). */
const foldable = /[A-Z\u017f\u212a]/;

/**
 * The key as a reader sees it that matches names regardless of case, as Go's encoding/json does (Unicode simple folding,
 * restricted to what ends in ASCII).
 */
function foldKey(key: string): string {
  if (!foldable.test(key)) return key;
  return key.toLowerCase().replaceAll('\u017f', 's');
}

/**
 * Refuses the top-level keys of a request that such a reader takes for others: it would obey what was never quoted.
 * @param known the names that have a meaning; those of chat requests by default.
 * @throws AutoPayError `invalid_request` for a known name in another spelling, `duplicate_key` for two that fold alike.
 */
export function refuseFoldedKeys(keys: readonly string[], known: ReadonlySet<string> = requestKeys): void {
  refuseWithin(keys, known, '');
}

/** As refuseFoldedKeys, for the members of `stream_options`. */
export function refuseFoldedStreamOptions(keys: readonly string[]): void {
  refuseWithin(keys, streamOptionKeys, 'stream_options.');
}

/** As refuseFoldedKeys, for a message, a part of one or a tool; `path` leads to it. */
export function refuseFoldedPart(part: object, path: string): void {
  for (const key in part) refuseMisspelt(key, foldKey(key), { known: partKeys, prefix: `${path}.` });
}

function refuseWithin(keys: readonly string[], known: ReadonlySet<string>, prefix: string): void {
  const seen = new Set<string>();
  for (const key of keys) {
    const folded = foldKey(key);
    refuseMisspelt(key, folded, { known, prefix });
    const param = prefix + key.slice(0, 64);
    if (seen.has(folded)) {
      throw new AutoPayError(
        'duplicate_key',
        `"${param}" is there twice, but for upper and lower case. Send it once.`,
        {
          param,
        },
      );
    }
    seen.add(folded);
  }
}

function refuseMisspelt(key: string, folded: string, of: { known: ReadonlySet<string>; prefix: string }): void {
  if (folded === key || !of.known.has(folded)) return;
  const param = of.prefix + key.slice(0, 64);
  throw new AutoPayError('invalid_request', `"${param}" must be written "${of.prefix}${folded}".`, { param });
}
