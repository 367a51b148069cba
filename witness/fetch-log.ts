import { collectBytes } from '../protocol/bytes/collect-bytes.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { tilePath } from '../protocol/log/tile-path.ts';
import type { ReadTile } from '../protocol/log/tile-tree.ts';

/** A log that is read over HTTP (C2SP tlog-tiles). What it gives is bounded, and not believed. */
export interface RemoteLog {
  /** The signed note. */
  fetchCheckpoint(): Promise<string>;
  /** The verifier keys that the log itself names, one a line. */
  fetchKeys(): Promise<string[]>;
  readTile: ReadTile;
}

const timeoutMs = 15_000;
const maxNoteBytes = 65_536;
const maxTileBytes = 256 * 32;

/**
 * @param signal ends what is under way
 * @param url what `/checkpoint` and `/tile/…` are added to
 * @throws AutoPayError `invalid_argument` if it is no http(s) URL; of its methods, `upstream_unreachable`, `upstream_error`
 */
export function openRemoteLog(url: string, signal: AbortSignal): RemoteLog {
  const base = URL.parse(url.endsWith('/') ? url : `${url}/`);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new AutoPayError(
      'invalid_argument',
      `The log ${url} has to be a URL, such as https://relay.example.com/log.`,
    );
  }
  const fetchPath = (path: string, maxBytes: number) => fetchBytes(new URL(path, base), { maxBytes, signal });
  const fetchText = async (path: string) => Buffer.from(await fetchPath(path, maxNoteBytes)).toString();
  return {
    fetchCheckpoint: () => fetchText('checkpoint'),
    fetchKeys: async () => (await fetchText('key')).split('\n').filter((line) => line !== ''),
    readTile: (tile) => fetchPath(tilePath(tile), maxTileBytes),
  };
}

async function fetchBytes(url: URL, options: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
  const { maxBytes, signal } = options;
  const where = `${url.origin}${url.pathname}`;
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      redirect: 'error',
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new AutoPayError('upstream_error', `${where} answers ${response.status}. Check the URL of the log.`);
    }
    return await collectBytes(response.body, {
      maxBytes,
      tooLong: () => new AutoPayError('upstream_error', `${where} answers more than ${maxBytes} bytes.`),
    });
  } catch (cause) {
    if (cause instanceof AutoPayError) throw cause;
    throw new AutoPayError('upstream_unreachable', `${where} cannot be reached. Try again later.`, { cause });
  }
}
