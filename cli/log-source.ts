import type { LogSource } from '../fsck/verify-checkpoint.ts';
import { tilePath, tileWidth } from '../protocol/log/tile-path.ts';
import { collectBytes } from '../protocol/bytes/collect-bytes.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

const requestTimeoutMs = 10_000;
/** More than a note with a hundred cosignatures, and than a tile. */
const maxAnswerBytes = 65_536;
const hashBytes = 32;

/**
 * A relay's log, read over HTTP (C2SP tlog-tiles).
 * @param relayUrl such as `http://127.0.0.1:4000`
 * @throws AutoPayError `invalid_argument` if it is no URL
 */
export function createHttpLogSource(relayUrl: string): LogSource {
  if (!URL.canParse(relayUrl)) {
    throw new AutoPayError('invalid_argument', '--relay takes the URL of a relay, such as https://relay.example.com.');
  }
  const base = relayUrl.replace(/\/+$/, '');
  return {
    name: base,
    async readCheckpoint() {
      const note = await read(base, 'checkpoint');
      if (note) return Buffer.from(note).toString('utf8');
      throw new AutoPayError('upstream_error', `${base} serves no checkpoint of a log.`);
    },
    async readTile(tile) {
      const bytes = await read(base, tilePath(tile));
      if (bytes) return bytes;
      // A tile that has become full need not be there in part any more.
      const full = tile.width < tileWidth ? await read(base, tilePath({ ...tile, width: tileWidth })) : undefined;
      if (full) return full.subarray(0, tile.width * hashBytes);
      throw new AutoPayError('upstream_error', `${base} does not have ${tilePath(tile)} of its own log.`);
    },
  };
}

/** What is at a path of the log; undefined if nothing is. */
async function read(base: string, path: string): Promise<Uint8Array | undefined> {
  const url = `${base}/log/${path}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) }).catch((cause: unknown) => {
    throw new AutoPayError('upstream_unreachable', `${base} does not answer.`, { cause });
  });
  if (response.status === 404) return undefined;
  if (!response.ok || response.body === null) {
    throw new AutoPayError('upstream_error', `${url} answered ${response.status}.`);
  }
  return collectBytes(response.body, {
    maxBytes: maxAnswerBytes,
    tooLong: () => new AutoPayError('upstream_error', `${base} sent more than ${maxAnswerBytes} bytes for ${path}.`),
  });
}
