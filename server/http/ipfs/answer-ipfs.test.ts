import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { CarBlockIterator } from '@ipld/car/iterator';
import express from 'express';
import fc from 'fast-check';
import type { CID } from 'multiformats/cid';
import { base58btc } from 'multiformats/bases/base58';
import { CID as Cids } from 'multiformats/cid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cidOfBlock, encodeBatchBlock } from '../../../protocol/log/batch-block.ts';
import { Frontier } from '../../../protocol/merkle/frontier.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import { listen, type Listening } from '../listen.ts';
import { sendError } from '../send-error.ts';
import { createIpfsHandler } from './answer-ipfs.ts';

const carType = 'application/vnd.ipld.car';
const rawType = 'application/vnd.ipld.raw';
const identity = 'bafkqaaa';

const stored = new Map<string, Uint8Array>();
const chain: { cid: CID; bytes: Uint8Array }[] = [];
/** CIDs that were read from the store. */
let read: string[] = [];
/** Runs before a block is read. */
let beforeRead: (cid: string) => Promise<void> = () => Promise.resolve();
const logged: unknown[] = [];
let listening: Listening;

/** A log of `count` blocks, each of `bytes` bytes. */
function makeChain(count: number, bytes: number): void {
  const tree = new Frontier();
  for (let number = 0; number < count; number += 1) {
    const previous = chain.at(-1)?.cid ?? null;
    const entry = randomBytes(bytes);
    const block = encodeBatchBlock({ previous, start: tree.size, frontier: tree.roots, entries: [entry] });
    tree.append(hashLeaf(entry));
    chain.push({ cid: cidOfBlock(block), bytes: block });
    stored.set(cidOfBlock(block).toString(), block);
  }
}

beforeAll(async () => {
  makeChain(5, 1_000);
  const app = express().set('query parser', false).enable('strict routing');
  const get = async (cid: CID) => {
    await beforeRead(cid.toString());
    read.push(cid.toString());
    return stored.get(cid.toString());
  };
  app.get(
    '/ipfs/:cid{/*path}',
    createIpfsHandler({ blocks: { get }, maxStreams: 2, maxBlocks: 2, idleTimeoutMs: 300 }),
  );
  const write = (facts: object) => void logged.push(facts);
  const log = { fatal: write, error: write, warn: write, info: write, debug: write } as never;
  const fail: express.ErrorRequestHandler = (error, request, response, _next) =>
    sendError({ request, response, error, payments: [], log });
  app.use(fail);
  listening = await listen(app, { host: '127.0.0.1', port: 0 });
});
afterAll(() => {
  listening.server.closeAllConnections();
  listening.server.close();
});

const at = (index: number) => {
  const block = chain.at(index);
  if (!block) throw new Error('no such block');
  return block;
};
const newest = () => at(-1).cid.toString();
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${listening.url}/ipfs/${path}`, { method, headers });
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
};

/** The blocks of a CAR, each checked against its CID, and its roots. */
async function readCar(response: Response): Promise<{ roots: string[]; cids: string[] }> {
  if (!response.body) throw new Error('no body');
  const car = await CarBlockIterator.fromIterable(response.body);
  const cids: string[] = [];
  for await (const { cid, bytes } of car) {
    expect(cidOfBlock(bytes).toString()).toBe(cid.toString());
    cids.push(cid.toString());
  }
  return { roots: (await car.getRoots()).map(String), cids };
}
const backFrom = (index: number) =>
  chain
    .slice(0, index + 1)
    .toReversed()
    .map(({ cid }) => cid.toString());

describe('a raw block', () => {
  it('has its bytes, and the headers of the specification', async () => {
    const { cid, bytes } = at(2);
    const response = await ask(`${cid.toString()}?format=raw`);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': rawType,
      'content-length': String(bytes.length),
      'content-disposition': `attachment; filename="${cid.toString()}.bin"`,
      'x-content-type-options': 'nosniff',
      etag: `"${cid.toString()}.raw"`,
      'cache-control': 'public, max-age=29030400, immutable',
      'accept-ranges': 'bytes',
      'x-ipfs-path': `/ipfs/${cid.toString()}`,
      'x-ipfs-roots': cid.toString(),
      'access-control-allow-origin': '*',
    });
    expect(response.headers.has('content-location')).toBe(false);
  });

  it('is where it was found by Accept, too, and is named as the asker says', async () => {
    const response = await ask(`${newest()}?filename=a%20block.bin`, { accept: rawType });
    expect(response.headers.get('content-location')).toBe(`/ipfs/${newest()}?filename=a+block.bin&format=raw`);
    expect(response.headers.get('vary')).toBe('Accept');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="a block.bin"');
    await response.arrayBuffer();
  });

  it('is found by every text of its CID, and by its hash alone', async () => {
    const { cid, bytes } = at(1);
    const raw = Cids.createV1(0x55, cid.multihash).toString();
    for (const text of [cid.toString(), cid.toString(base58btc), raw]) {
      const response = await ask(`${text}?format=raw`);
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes), text).toBe(true);
    }
  });

  it('is not sent to who has it, nor to HEAD', async () => {
    const etag = `"${newest()}.raw"`;
    for (const tags of [etag, `W/${etag}`, '*', `"x", ${etag}`]) {
      const response = await ask(`${newest()}?format=raw`, { 'if-none-match': tags });
      expect([response.status, await response.text()]).toEqual([304, '']);
      expect(response.headers.get('etag')).toBe(etag);
      expect(response.headers.get('cache-control')).toContain('immutable');
    }
    const head = await ask(`${newest()}?format=raw`, { range: 'bytes=0-1' }, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(at(-1).bytes.length)]);
  });

  it('comes in ranges, as an array is sliced', async () => {
    const { bytes } = at(-1);
    const position = fc.integer({ min: 0, max: bytes.length + 20 });
    await fc.assert(
      fc.asyncProperty(position, position, async (one, other) => {
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const response = await ask(`${newest()}?format=raw`, { range: `bytes=${first}-${last}` });
        if (first >= bytes.length) {
          expect(response.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
          expect(response.headers.has('etag')).toBe(false);
          return void expect(await codeOf(response)).toEqual([416, 'range_not_satisfiable']);
        }
        const slice = bytes.subarray(first, last + 1);
        expect(response.status).toBe(206);
        expect(response.headers.get('content-range')).toBe(
          `bytes ${first}-${first + slice.length - 1}/${bytes.length}`,
        );
        expect(response.headers.get('content-length')).toBe(String(slice.length));
        expect(Buffer.from(await response.arrayBuffer()).equals(slice)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['the same', (etag: string) => etag, 206],
    ['another', () => '"x"', 200],
    ['a weak one', (etag: string) => `W/${etag}`, 200],
    ['a date', () => 'Wed, 21 Oct 2026 07:28:00 GMT', 200],
  ])('comes in ranges where If-Range is %s', async (_, condition, status) => {
    const headers = { range: 'bytes=0-9', 'if-range': condition(`"${newest()}.raw"`) };
    const response = await ask(`${newest()}?format=raw`, headers);
    expect([response.status, response.headers.get('etag')]).toEqual([status, `"${newest()}.raw"`]);
    await response.arrayBuffer();
  });

  it('has no path', async () => {
    expect(await codeOf(await ask(`${newest()}/previous?format=raw`))).toEqual([400, 'invalid_request']);
  });
});

describe('a CAR', () => {
  it('has the whole history, newest first, as a library reads it', async () => {
    const response = await ask(newest(), { accept: `${carType}; version=1; order=dfs; dups=y` });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': `${carType}; version=1; order=dfs; dups=y`,
      'content-disposition': `attachment; filename="${newest()}.car"`,
      'content-location': `/ipfs/${newest()}?format=car&car-dups=y`,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'none',
      'cache-control': 'public, max-age=29030400, immutable',
    });
    expect(await readCar(response)).toEqual({ roots: [newest()], cids: backFrom(4) });
  });

  it('has what its scope says', async () => {
    const middle = at(2).cid.toString();
    for (const [query, cids] of [
      ['', backFrom(2)],
      ['&dag-scope=all', backFrom(2)],
      ['&dag-scope=block', [middle]],
      ['&dag-scope=entity', [middle]],
      // A map is no array of bytes: the specification has the range ignored.
      ['&entity-bytes=0:5', [middle]],
    ] as const) {
      expect(await readCar(await ask(`${middle}?format=car${query}`)), query).toEqual({ roots: [middle], cids });
    }
  });

  it('has the blocks of its path, and what is at its end', async () => {
    const car = async (path: string) => (await readCar(await ask(`${newest()}/${path}`))).cids;
    expect(await car('previous/previous?format=car')).toEqual(backFrom(4));
    expect(await car('previous/previous?format=car&dag-scope=block')).toEqual(backFrom(4).slice(0, 3));
    expect(await car('previous/entries/0?format=car')).toEqual(backFrom(4).slice(0, 2));
    for (const nowhere of [
      'nothing',
      'previous/entries/1',
      'entries/x',
      'previous/previous/previous/previous/previous/a',
    ]) {
      expect(await codeOf(await ask(`${newest()}/${nowhere}?format=car`)), nowhere).toEqual([404, 'not_found']);
    }
  });

  it('follows no path that would have it read hundreds of blocks first', async () => {
    read = [];
    const long = Array.from({ length: 9 }, () => 'previous').join('/');
    expect(await codeOf(await ask(`${newest()}/${long}?format=car`))).toEqual([400, 'invalid_request']);
    expect(read).toEqual([]);
  });

  it('is the same each time, with a tag for each of its forms', async () => {
    const tags = new Set<string | null>();
    for (const query of ['', '&dag-scope=block', '&dag-scope=entity', '&entity-bytes=0:5', '&car-dups=y']) {
      const [first, second] = [
        await ask(`${newest()}?format=car${query}`),
        await ask(`${newest()}?format=car${query}`),
      ];
      const [one, two] = [await first.arrayBuffer(), await second.arrayBuffer()];
      expect(Buffer.from(one).equals(Buffer.from(two))).toBe(true);
      const etag = first.headers.get('etag') ?? '';
      tags.add(etag);
      expect((await ask(`${newest()}?format=car${query}`, { 'if-none-match': etag })).status).toBe(304);
    }
    expect(tags.size).toBe(5);
    read = [];
    const head = await ask(`${newest()}?format=car`, {}, 'HEAD');
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, [...tags][0], '']);
    // Nothing but the root is needed for it.
    expect(read).toEqual([newest()]);
  });

  it('ends broken where a block is missing, and the log tells of it', async () => {
    const { cid, bytes } = at(1);
    stored.delete(cid.toString());
    const response = await ask(`${newest()}?format=car`);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    expect(JSON.stringify(logged)).toContain(cid.toString());
    stored.set(cid.toString(), bytes);
  });
});

/** A CAR, or a block, that is not read any further once its head has come. */
async function askSlowly(cid: string, format = 'car') {
  const connected = once(listening.server, 'connection');
  const slow = httpRequest(`${listening.url}/ipfs/${cid}?format=${format}`, { agent: false });
  slow.on('error', () => undefined);
  slow.end();
  const [socket] = (await connected) as [Socket];
  // `once` would end at its error.
  const closed = new Promise((done) => socket.once('close', done));
  const [response] = (await once(slow, 'response')) as [IncomingMessage];
  response.pause();
  response.on('error', () => undefined);
  return { slow, closed };
}

describe('a client that', () => {
  it('takes nothing has no more read for it than it could take, and is dropped', async () => {
    makeChain(60, 900_000);
    read = [];
    const { slow, closed } = await askSlowly(newest());
    await closed;
    slow.destroy();
    // What the sockets buffer, and not the 54 MB of the history.
    expect(read.length).toBeLessThan(30);
    const { length } = read;
    await new Promise((done) => setTimeout(done, 50));
    expect(read).toHaveLength(length);
  });

  it('goes away ends the archive; more than there may be are refused, until one has ended', async () => {
    read = [];
    const waiting = Promise.withResolvers<void>();
    beforeRead = (cid) => (cid === newest() ? Promise.resolve() : waiting.promise);
    const streams = [await askSlowly(newest()), await askSlowly(newest())];
    const refused = await ask(`${newest()}?format=car`);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await codeOf(refused)).toEqual([503, 'overloaded']);
    expect((await ask(`${newest()}?format=raw`)).status).toBe(200);
    for (const { slow, closed } of streams) {
      slow.destroy();
      await closed;
    }
    read = [];
    waiting.resolve();
    beforeRead = () => Promise.resolve();
    await vi.waitFor(async () => expect((await ask(`${at(0).cid.toString()}?format=car`)).status).toBe(200));
    // Each had begun to read one block, and reads no other.
    expect(new Set(read)).toEqual(new Set([at(-2).cid.toString(), at(0).cid.toString()]));
  });
});

describe('clients that take nothing of a raw block', () => {
  it('are dropped, and hold no more than there may be until then', async () => {
    const bytes = randomBytes(16_000_000);
    const cid = cidOfBlock(bytes).toString();
    stored.set(cid, bytes);
    const slow = [await askSlowly(cid, 'raw'), await askSlowly(cid, 'raw')];
    expect(await codeOf(await ask(`${newest()}?format=raw`))).toEqual([503, 'overloaded']);
    await Promise.all(slow.map(({ closed }) => closed));
    expect((await ask(`${newest()}?format=raw`)).status).toBe(200);
    stored.delete(cid);
  });
});

describe('the probe of a gateway', () => {
  it('is answered as a block and as a CAR without blocks', async () => {
    const raw = await ask(`${identity}?format=raw`);
    expect([raw.status, await raw.text(), raw.headers.get('content-length')]).toEqual([200, '', '0']);
    expect(await readCar(await ask(`${identity}?format=car`))).toEqual({ roots: [identity], cids: [] });
    const long = 'bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa';
    const car = await ask(long, { accept: `${carType}; dups=y` });
    expect(car.headers.get('content-type')).toContain('dups=y');
    expect(await readCar(car)).toEqual({ roots: [long], cids: [] });
    for (const format of ['raw', 'car']) {
      expect((await ask(`${identity}?format=${format}`, {}, 'HEAD')).status).toBe(200);
    }
  });
});

describe('what is not served', () => {
  const absent = cidOfBlock(Buffer.from('absent')).toString();

  it.each<[string, Record<string, string>, number, string]>([
    [`${absent}?format=raw`, {}, 404, 'not_found'],
    [`${absent}?format=car`, {}, 404, 'not_found'],
    ['QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?format=raw', {}, 404, 'not_found'],
    [`${absent}?format=raw`, { 'cache-control': 'only-if-cached' }, 412, 'precondition_failed'],
    ['..%2f..%2fkeys%2frelay.key?format=raw', {}, 400, 'invalid_request'],
    [`${'b'.repeat(300)}?format=raw`, {}, 400, 'invalid_request'],
    ['not-a-cid?format=raw', {}, 400, 'invalid_request'],
    [`${identity}?format=raw`, { 'service-worker': 'script' }, 400, 'invalid_request'],
    [`${identity}?format=tar`, {}, 406, 'not_acceptable'],
    [identity, { accept: 'text/html' }, 406, 'not_acceptable'],
    [`${identity}?format=car&dag-scope=x`, {}, 400, 'invalid_request'],
  ])('%s with %j is %i', async (path, headers, status, code) => {
    const response = await ask(path, headers);
    expect(response.headers.has('cache-control')).toBe(false);
    expect(await codeOf(response)).toEqual([status, code]);
  });

  it('is told to HEAD without a body', async () => {
    const head = await ask(`${absent}?format=raw`, {}, 'HEAD');
    expect([head.status, head.headers.get('x-autopay-error-code')]).toEqual([404, 'not_found']);
  });
});
