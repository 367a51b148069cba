import { createHash } from 'node:crypto';
import { WireError } from './wire-error.ts';

/** The names that `GET /v1/models` lists. Any other `sim-*` name is served as well. */
export const LISTED_MODELS: readonly string[] = ['sim-small', 'sim-large', 'sim-free'];

const MODEL_NAME = /^sim-[a-z0-9][a-z0-9._-]{0,62}$/;

/** A requested model, taken apart. */
export interface ModelName {
  /** The name without directives; responses carry this one, as OpenAI's carry the resolved snapshot. */
  base: string;
  /** What follows `?`, or null. */
  suffix: string | null;
}

/**
 * Splits `sim-small?latency=50` into name and directives.
 *
 * @throws {WireError} 404 `model_not_found` unless the name is `sim-*`
 */
export function parseModelName(model: string): ModelName {
  const mark = model.indexOf('?');
  const base = mark < 0 ? model : model.slice(0, mark);
  if (!MODEL_NAME.test(base)) {
    throw new WireError({
      status: 404,
      message: `The model '${base.slice(0, 100)}' does not exist. The simulator serves names that begin with 'sim-'.`,
      code: 'model_not_found',
    });
  }
  return { base, suffix: mark < 0 ? null : model.slice(mark + 1) };
}

/** One entry of `GET /v1/models`. */
export function describeModel(id: string): object {
  return { id, object: 'model', created: 1_735_689_600, owned_by: 'autopayllm-simulator' };
}

/** `system_fingerprint` of a model: `fp_` and ten hexadecimal digits. */
export function systemFingerprint(base: string): string {
  return `fp_${createHash('sha256').update(base).digest('hex').slice(0, 10)}`;
}
