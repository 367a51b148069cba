import { isObject } from '../../protocol/text/json-object.ts';
import { readBytes } from '../call/read-json-answer.ts';
import { errorOf, readUpstreamError } from '../call/read-upstream-error.ts';
import type { UpstreamRefusal } from '../call/router.ts';
import type { UpstreamResponse } from '../call/transport.ts';
import type { ProviderQuirks } from '../call/types.ts';
import { classifyRefusal, isModelMissing, type FailureClass } from './classify-refusal.ts';
import { readDuration } from './read-limit-reset.ts';

const maxErrorBytes = 65_536;
const bodyTimeoutMs = 5_000;

/** What a 403 becomes that speaks of the content, or of a model that is not there: OpenAI's own statuses for these. */
const contentStatus = 400;
const absentStatus = 404;

/** What a provider refused with. */
export interface ReadRefusal {
  class: FailureClass;
  /**
   * What the client is told; null where it would be misled, or told of the relay's account: what speaks of the relay's key or money
   * there (a 402 would make it pay again), or of another place. Such bodies may quote parts of the key.
   */
  refusal: UpstreamRefusal | null;
  /** Whether the deployment will refuse everybody alike: its model is not there. */
  isModelMissing: boolean;
  /** The wait that Google asks for within the body (google.rpc.RetryInfo); null if there is none. */
  retryDelayMs: number | null;
}

/** Reads an upstream's refusal, and what it means. Never throws: a body that cannot be read leaves the status. */
export async function readRefusal(response: UpstreamResponse, quirks?: ProviderQuirks): Promise<ReadRefusal> {
  const { status } = response;
  const value = await readJson(response);
  const error = readUpstreamError(value, status, quirks?.errorMember);
  const kind = classifyRefusal(status, error);
  const read = {
    class: kind,
    isModelMissing: kind === 'absent' && isModelMissing(error),
    retryDelayMs: delayIn(value),
  };
  if (kind === 'refused_key' || status < 400 || status > 599) return { ...read, refusal: null };
  if (status === 403) {
    const told = kind === 'absent' ? absentStatus : contentStatus;
    return { ...read, refusal: { status: told, error, headers: {} } };
  }
  const headers: Record<string, string> = {};
  for (const name of ['retry-after', 'retry-after-ms']) {
    const text = response.headers[name];
    if (text !== undefined && /^[\x20-\x7e]{1,64}$/.test(text)) headers[name] = text;
  }
  return { ...read, refusal: { status, error, headers } };
}

function delayIn(value: unknown): number | null {
  const error = errorOf(value);
  const details: unknown = isObject(error) ? error['details'] : undefined;
  const delays = (Array.isArray(details) ? details : []).filter(isObject).map((detail) => detail['retryDelay']);
  const delay = delays.find((text) => typeof text === 'string');
  return delay === undefined ? null : readDuration(delay);
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
