import type { UpstreamRefusal } from './router.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import type { ProviderQuirks } from './types.ts';

type UpstreamErrorBody = UpstreamRefusal['error'];
type ErrorMember = ProviderQuirks['errorMember'];

const maxMessageCharacters = 2000;
const maxNameCharacters = 128;
/** Of the relay's organization or project there, which OpenAI and Groq name where a limit is met; of its team and key, as xAI names them. */
const accountIds = /\b(org[-_]|proj[-_]|Team: |API key ID: )[A-Za-z0-9-]{16,}/g;

/**
 * An upstream's error in OpenAI's shape, from a parsed body `{"error": {…}}` or `{"error": "…"}`; of any other body, its
 * text stays in the relay, and the status is all that is told.
 * @param member where this provider is known to tell what is wrong instead
 */
export function readUpstreamError(
  value: unknown,
  status: number | null,
  member: ErrorMember = 'error',
): UpstreamErrorBody {
  const error = errorOf(value) ?? (isObject(value) ? readMember(value, member) : undefined);
  const fields = isObject(error) ? error : { message: error };
  const fallback =
    status === null ? 'The provider failed within its answer.' : `The provider answered with status ${status}.`;
  return {
    message: readText(fields['message'], maxMessageCharacters)?.replaceAll(accountIds, '$1…') ?? fallback,
    type: readText(fields['type'], maxNameCharacters) ?? 'upstream_error',
    param: readText(fields['param'], maxNameCharacters),
    code: readText(fields['code'], maxNameCharacters) ?? (isObject(error) ? null : 'upstream_error'),
  };
}

/** The `error` of a body; Google's is within a list. */
export function errorOf(value: unknown): unknown {
  const body: unknown = Array.isArray(value) ? value[0] : value;
  return isObject(body) ? body['error'] : undefined;
}

/** What some providers tell in a member of their own: a text, or a list of `{msg}` (FastAPI), in `message` perhaps as its `detail`. */
function readMember(value: JsonObject, member: ErrorMember): unknown {
  if (member === 'error') return undefined;
  let told = value[member];
  if (isObject(told)) told = told['detail'];
  if (!Array.isArray(told)) return told;
  const texts = told.filter(isObject).map(({ msg, loc }) => [msg, Array.isArray(loc) ? loc.join('.') : undefined]);
  return texts.map((parts) => parts.filter((part) => typeof part === 'string').join(': ')).join('; ');
}

function readText(value: unknown, most: number): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value.slice(0, most) : null;
}
