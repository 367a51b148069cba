import type { UpstreamRefusal } from './router.ts';
import { isObject } from './parse-chat-request.ts';

type UpstreamErrorBody = UpstreamRefusal['error'];

const maxMessageCharacters = 2000;
const maxNameCharacters = 128;

/**
 * An upstream's error in OpenAI's shape, from a parsed body `{"error": {…}}` or `{"error": "…"}`; of any other body, its
 * text stays in the relay, and the status is all that is told.
 */
export function readUpstreamError(value: unknown, status: number | null): UpstreamErrorBody {
  const error = isObject(value) ? value['error'] : undefined;
  const fields = isObject(error) ? error : { message: error };
  const fallback =
    status === null ? 'The provider failed within its answer.' : `The provider answered with status ${status}.`;
  return {
    message: readText(fields['message'], maxMessageCharacters) ?? fallback,
    type: readText(fields['type'], maxNameCharacters) ?? 'upstream_error',
    param: readText(fields['param'], maxNameCharacters),
    code: readText(fields['code'], maxNameCharacters) ?? (isObject(error) ? null : 'upstream_error'),
  };
}

function readText(value: unknown, most: number): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value.slice(0, most) : null;
}
