import { isUtf8 } from 'node:buffer';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { boundJson } from './bound-json.ts';

/** Each is quoted. */
const maxFallbackModels = 8;
/** OpenAI's bound of `top_logprobs`; elsewhere -1 asks for the whole vocabulary. */
const maxTopLogprobs = 20;

/**
 * The object of a request's body.
 * @throws AutoPayError `invalid_json`; `invalid_request` for more than boundJson allows.
 */
export function parseObject(body: Buffer): JsonObject {
  boundJson(body);
  if (!isUtf8(body)) throw new AutoPayError('invalid_json', 'The body is not UTF-8. Send JSON in UTF-8.');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AutoPayError('invalid_json', 'The body is not JSON. Send a JSON object.', { cause });
  }
  if (!isObject(value)) throw new AutoPayError('invalid_json', 'The body is JSON, but no object. Send a JSON object.');
  return value;
}

/** `model`. */
export function readModelName({ model }: JsonObject): string {
  if (typeof model === 'string' && model !== '') return model;
  throw invalid('model', 'a non-empty string; GET /v1/models lists them');
}

/** `fallback_models`; none if it is missing. */
export function readFallbackModels(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const isNames =
    Array.isArray(value) &&
    value.length <= maxFallbackModels &&
    value.every((name): name is string => typeof name === 'string' && name !== '');
  if (!isNames) throw invalid('fallback_models', `a list of at most ${maxFallbackModels} names of models`);
  return value;
}

/** Log probabilities of each token by a number of the likeliest ones, and a wish for the token's own. */
export function readLogprobs(top: unknown, param: string, isAsked: boolean): number {
  const likeliest = top ?? 0;
  if (typeof likeliest !== 'number' || !Number.isSafeInteger(likeliest) || likeliest < 0 || likeliest > maxTopLogprobs)
    throw invalid(param, `a whole number from 0 to ${maxTopLogprobs}`);
  return isAsked || likeliest > 0 ? 1 + likeliest : 0;
}

/** A boolean; false if it is missing. */
export function readBoolean(value: unknown, param: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw invalid(param, 'true or false');
  return value;
}

/** A whole number from 1; null if it is missing. */
export function readCount(value: unknown, param: string, most: number = Number.MAX_SAFE_INTEGER): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > most) {
    throw invalid(
      param,
      most === Number.MAX_SAFE_INTEGER ? 'a whole number from 1' : `a whole number from 1 to ${most}`,
    );
  }
  return value;
}

/** The refusal of a member that is not what it must be. */
export function invalid(param: string, expected: string): AutoPayError {
  return new AutoPayError('invalid_request', `"${param}" must be ${expected}.`, { param });
}
