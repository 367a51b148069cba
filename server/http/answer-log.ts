import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Router, type RequestHandler, type Response } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parseEntriesPath, parseTilePath, tileWidth, type EntryTile } from '../../protocol/log/tile-path.ts';
import type { EntryReader } from '../audit/read-entries.ts';
import type { LogTree } from '../audit/log-tree.ts';

/** What the log is served from. */
export interface LogRoutesDeps {
  tree: Pick<LogTree, 'newestCheckpoint' | 'readTile'>;
  readEntries: EntryReader;
  verifierKeys: readonly string[];
}

/** A year: what is in a full tile never changes. */
const forever = 'public, max-age=31536000, immutable';

/** A partial tile never changes either, but is soon asked for no more. */
const aMinute = 'public, max-age=60';

const text = 'text/plain; charset=utf-8';
const bytesType = 'application/octet-stream';

const gzipped = promisify(gzip);
/** Entries become a seventh, beside the main thread; hashes would not become smaller. */
const compress = (bytes: Buffer): Promise<Buffer> => gzipped(bytes, { level: 1 });

/**
 * `/log`: the log as C2SP tlog-tiles has it, so that its readers, monitors and witnesses need nothing of ours: `checkpoint`, `key`,
 * `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, which is compressed for those who take gzip. Open to everybody, web pages
 * included.
 *
 * @throws AutoPayError `not_found` for what the newest checkpoint does not cover; `overloaded`
 */
export function createLogRouter({ tree, readEntries, verifierKeys }: LogRoutesDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.use((_, response, next) => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('x-content-type-options', 'nosniff');
    // What is not there yet may be a moment later.
    response.setHeader('cache-control', 'no-cache');
    next();
  });
  router.get('/checkpoint', (_, response) => send(response, text, Buffer.from(tree.newestCheckpoint().note)));
  router.get('/key', (_, response) =>
    send(response, text, Buffer.from(verifierKeys.map((key) => `${key}\n`).join(''))),
  );
  router.get('/tile/*place', answerTile({ tree, readEntries }));
  return router;
}

function answerTile({ tree, readEntries }: Pick<LogRoutesDeps, 'tree' | 'readEntries'>): RequestHandler {
  return async (request, response) => {
    const path = request.path.slice(1);
    const hashes = parseTilePath(path);
    const entries = hashes ? undefined : parseEntriesPath(path);
    const found = hashes ?? entries;
    if (found === undefined) {
      throw new AutoPayError(
        'not_found',
        'This is no path of a tile: tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>].',
      );
    }
    const isGzip = entries !== undefined && request.acceptsEncodings('gzip', 'identity') === 'gzip';
    const bytes = hashes ? await tree.readTile(hashes) : await readEntries(found, isGzip ? compress : undefined);
    response.setHeader('cache-control', isFull(found) ? forever : aMinute);
    if (entries) response.setHeader('vary', 'Accept-Encoding');
    if (isGzip) response.setHeader('content-encoding', 'gzip');
    send(response, bytesType, bytes);
  };
}

function isFull({ width }: EntryTile): boolean {
  return width === tileWidth;
}

function send(response: Response, type: string, body: Uint8Array): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
