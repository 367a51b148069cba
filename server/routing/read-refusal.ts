import { readBytes } from '../call/read-json-answer.ts';
import { readUpstreamError } from '../call/read-upstream-error.ts';
import type { UpstreamRefusal } from '../call/router.ts';
import type { UpstreamResponse } from '../call/transport.ts';
import type { ProviderQuirks } from '../call/types.ts';
import { classifyRefusal } from './classify-refusal.ts';

const maxErrorBytes = 65_536;
const bodyTimeoutMs = 5_000;

/**
 * Statuses that would mislead the client: 401, 403 and 407 speak of the relay's key, 402 of the relay's account there
 * (the client would try to pay), 3xx of another place. Their bodies may quote parts of the key.
 */
const privateStatuses = [401, 402, 403, 407];
/** What a 403 that speaks of the content becomes: OpenAI's own status for it. */
const contentStatus = 400;

/**
 * Reads an upstream's refusal as the client is to see it; null where it is none of the client's business.
 * Never throws: a body that cannot be read leaves the status.
 */
export async function readRefusal(
  response: UpstreamResponse,
  quirks?: ProviderQuirks,
): Promise<UpstreamRefusal | null> {
  const { status } = response;
  const value = await readJson(response);
  const error = readUpstreamError(value, status, quirks?.errorMember);
  if (status === 403) {
    const refusal = { status: contentStatus, error, headers: {} };
    return classifyRefusal(status, refusal) === 'refused_key' ? null : refusal;
  }
  if (status < 400 || status > 599 || privateStatuses.includes(status)) return null;
  const headers: Record<string, string> = {};
  for (const name of ['retry-after', 'retry-after-ms']) {
    const text = response.headers[name];
    if (text !== undefined && /^[\x20-\x7e]{1,64}$/.test(text)) headers[name] = text;
  }
  return { status, error, headers };
}

async function readJson(response: UpstreamResponse): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), bodyTimeoutMs);
  });
  try {
    // The router closes the connection of a body that is still coming.
    const bytes = await Promise.race([readBytes(response.body, maxErrorBytes), late]);
    return bytes === null ? null : JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
