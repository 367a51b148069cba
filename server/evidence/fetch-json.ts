import { collectBytes } from '../../protocol/bytes/collect-bytes.ts';

/** How a short JSON answer is fetched. */
export interface FetchJsonOptions {
  url: string;
  /** Sent as `Authorization: Bearer`. */
  apiKey?: string | undefined;
  signal: AbortSignal;
  /** More is an error. */
  maxBytes: number;
}

/** The status of an answer that is none. */
export class BadStatus extends Error {
  override readonly name = 'BadStatus';
  readonly status: number;

  constructor(status: number) {
    super(`it was answered with ${status}`);
    this.status = status;
  }
}

/**
 * Fetches a short JSON document. Redirects are not followed: they would take the key along.
 * @throws BadStatus; Error
 */
export async function fetchJson({ apiKey, maxBytes, signal, url }: FetchJsonOptions): Promise<unknown> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (apiKey !== undefined) headers['authorization'] = `Bearer ${apiKey}`;
  const response = await fetch(url, { headers, signal, redirect: 'error' });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new BadStatus(response.status);
  }
  const bytes = await collectBytes(response.body, {
    maxBytes,
    tooLong: () => new Error(`the answer is longer than ${maxBytes} bytes`),
  });
  return JSON.parse(bytes.toString('utf8'));
}
