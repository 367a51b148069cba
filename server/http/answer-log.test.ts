import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { widthIn } from '../../protocol/log/tile-path.ts';
import { serveHttp, type ServedHttp } from '../../test/support/serve-http.ts';
import { createLogRouter } from './answer-log.ts';

/** A log of 300 entries, whose tiles say which they are. */
const size = 300;
const router = createLogRouter({
  tree: {
    newestCheckpoint: () => ({ origin: 'o', size, root: Buffer.alloc(32), signedAtMs: 1, note: 'the newest note\n' }),
    async readTile({ level, index, width }) {
      if (width > widthIn(size, { level, index })) throw new AutoPayError('not_found', 'Not there yet.');
      return Buffer.from(`tile ${level} ${index} ${width}`);
    },
  },
  readEntries: async ({ index, width }, encode) => {
    const bundle = Buffer.from(`entries ${index} ${width}`);
    return encode ? encode(bundle) : bundle;
  },
  verifierKeys: ['one+00000000+AA==', 'two+00000000+AA=='],
});

const refuse: express.ErrorRequestHandler = (error: AutoPayError, _, response, _next) => {
  response.status(error.status).json({ code: error.code });
};
let served: ServedHttp;
let url: string;
beforeAll(async () => {
  served = await serveHttp(express().use('/log', router).use(refuse));
  url = `${served.url}/log`;
});
afterAll(() => served.stop());

async function get(path: string, method = 'GET') {
  const response = await fetch(`${url}/${path}`, { method, headers: { 'accept-encoding': 'identity' } });
  const header = (name: string) => response.headers.get(name);
  return {
    ...{ status: response.status, body: await response.text(), type: header('content-type') },
    ...{
      cache: header('cache-control'),
      origin: header('access-control-allow-origin'),
      length: header('content-length'),
    },
  };
}

const text = 'text/plain; charset=utf-8';
const bytes = 'application/octet-stream';
const forever = 'public, max-age=31536000, immutable';

describe('the log over HTTP', () => {
  it.each([
    ['checkpoint', 'the newest note\n', text, 'no-cache'],
    ['key', 'one+00000000+AA==\ntwo+00000000+AA==\n', text, 'no-cache'],
    ['tile/0/000', 'tile 0 0 256', bytes, forever],
    ['tile/0/001.p/44', 'tile 0 1 44', bytes, 'public, max-age=60'],
    ['tile/0/001.p/7', 'tile 0 1 7', bytes, 'public, max-age=60'],
    ['tile/1/000.p/1', 'tile 1 0 1', bytes, 'public, max-age=60'],
    ['tile/entries/000', 'entries 0 256', bytes, forever],
    ['tile/entries/001.p/44', 'entries 1 44', bytes, 'public, max-age=60'],
  ])('has %s, for web pages too, and for how long it holds', async (path, body, type, cache) => {
    const length = String(body.length);
    expect(await get(path)).toEqual({ status: 200, body, type, cache, origin: '*', length });
    expect(await get(path, 'HEAD')).toEqual({ status: 200, body: '', type, cache, origin: '*', length });
  });

  it.each([
    ['gzip', 'gzip'],
    ['br, gzip;q=0.5', 'gzip'],
    ['*', 'gzip'],
    ['gzip;q=0', null],
    ['br', null],
    ['gzip;q=0.1, identity', null],
  ])('compresses entries for those who take it: %s', async (accepted, encoding) => {
    const ask = (path: string) => fetch(`${url}/${path}`, { headers: { 'accept-encoding': accepted } });
    const response = await ask('tile/entries/000');
    expect(Object.fromEntries(response.headers)).toMatchObject({ vary: 'Accept-Encoding', 'cache-control': forever });
    expect(response.headers.get('content-encoding')).toBe(encoding);
    expect(await response.text()).toBe('entries 0 256');
    // Hashes do not become smaller.
    const hashes = await ask('tile/0/000');
    expect([hashes.headers.get('content-encoding'), hashes.headers.get('vary')]).toEqual([null, null]);
  });

  it.each([
    ...['tile/0/001', 'tile/0/001.p/45', 'tile/1/000', 'tile/0/x001/000', 'tile/2/000.p/1'],
    ...['tile/0/0', 'tile/0/000.p/256', 'tile/0', 'tile/entries/1', 'tile/64/000', 'tile/%30/000'],
  ])('has no %s, which may be there a moment later', async (path) => {
    const answer = await get(path);
    expect(answer).toMatchObject({ status: 404, cache: 'no-cache', origin: '*' });
    expect(answer.body).toBe('{"code":"not_found"}');
  });
});
