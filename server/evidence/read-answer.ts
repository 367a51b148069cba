import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';

/** The JSON values of an answer: the one of a JSON body, or those of a stream's events. What is no JSON is passed over. */
export function readValues(bytes: Uint8Array, { stream }: { stream: boolean }): JsonObject[] {
  const text = Buffer.from(bytes).toString('utf8');
  if (!stream) return [parse(text)].filter(isObject);
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.startsWith('data:'));
  return lines.map((line) => parse(line.slice('data:'.length))).filter(isObject);
}

/** The name by which a provider finds an answer again: `id` of a chat completion, of `message` or `response` in other APIs' events. */
export function readAnswerId(values: readonly JsonObject[]): string | null {
  for (const value of values) {
    const inner = [value, value['message'], value['response']].filter(isObject);
    const id = inner.map((one) => one['id']).find((one) => typeof one === 'string' && /^[\x21-\x7e]{1,200}$/.test(one));
    if (typeof id === 'string') return id;
  }
  return null;
}

/** What an answer brings of Verathos' proof, beside its text or in a member `proof`; null without it. */
export function readProof(values: readonly JsonObject[]): JsonObject | null {
  for (const value of values.toReversed()) {
    const proof = [value['proof'], value].filter(isObject).find((one) => isObject(one['commitment']));
    const bundle = proof?.['proof_bundle'];
    if (!proof || !isObject(bundle)) continue;
    return {
      commitment: proof['commitment'],
      outputTokenIds: bundle['output_token_ids'],
      beacon: bundle['beacon'],
      nonce: bundle['validator_nonce'],
    };
  }
  return null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
