import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpLogSource } from './log-source.ts';

/** What is served, by path. */
const served = new Map<string, Buffer | number>();
let server: Server;
let url: string;
beforeEach(async () => {
  served.clear();
  server = createServer((request, response) => {
    const found = served.get(request.url ?? '') ?? 404;
    if (typeof found === 'number') response.writeHead(found).end();
    else response.end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())));

describe('a log over HTTP', () => {
  it('is its checkpoint and its tiles', async () => {
    served.set('/log/checkpoint', Buffer.from('origin\n1\n…\n'));
    served.set('/log/tile/1/x001/000.p/3', Buffer.alloc(96, 7));
    const source = createHttpLogSource(`${url}/`);
    expect(source.name).toBe(url);
    expect(await source.readCheckpoint()).toBe('origin\n1\n…\n');
    expect(Buffer.from(await source.readTile({ level: 1, index: 1_000, width: 3 }))).toEqual(Buffer.alloc(96, 7));
  });

  it('has a part of a tile in the full one, once that is there', async () => {
    const full = Buffer.concat(Array.from({ length: 256 }, (_, index) => Buffer.alloc(32, index)));
    served.set('/log/tile/0/000', full);
    const tile = await createHttpLogSource(url).readTile({ level: 0, index: 0, width: 2 });
    expect(Buffer.from(tile)).toEqual(full.subarray(0, 64));
  });

  it('says what it does not have', async () => {
    const source = createHttpLogSource(url);
    await expect(source.readCheckpoint()).rejects.toThrow('serves no checkpoint');
    await expect(source.readTile({ level: 0, index: 5, width: 256 })).rejects.toThrow('tile/0/005');
    served.set('/log/checkpoint', 503);
    await expect(source.readCheckpoint()).rejects.toThrow('answered 503');
    served.set('/log/checkpoint', Buffer.alloc(70_000));
    await expect(source.readCheckpoint()).rejects.toThrow('more than 65536 bytes');
    const nobody = createHttpLogSource('http://127.0.0.1:1');
    await expect(nobody.readCheckpoint()).rejects.toMatchObject({ code: 'upstream_unreachable' });
    expect(() => createHttpLogSource('nowhere')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
