import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cidOfBlock, encodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { answerFailure, answerJson, startFakeIpfsNode, type FakeIpfsNode } from './fake-ipfs-node.ts';
import { createIpfsNode } from './ipfs-node.ts';

let fake: FakeIpfsNode;
beforeEach(async () => {
  fake = await startFakeIpfsNode();
});
afterEach(() => fake.close());

const bytes = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries: [randomBytes(64)] });
const cid = cidOfBlock(bytes);
const block = { cid, bytes, name: 'autopayllm-log-1' };
const connect = (options: { authorization?: string; timeoutMs?: number; signal?: AbortSignal } = {}) =>
  createIpfsNode({ apiUrl: fake.url, timeoutMs: 10_000, signal: new AbortController().signal, ...options });
const commands = () => fake.asked.map(({ command }) => command);

describe('a block at an IPFS node', () => {
  it('is put, pinned by itself, and read back', async () => {
    const node = await connect();
    await node.keep(block);
    expect(fake.blocks.get(cid.toString())?.equals(bytes)).toBe(true);
    expect(fake.pins.get(cid.toString())).toBe('direct');
    expect(commands()).toContain('block/get');
    expect(fake.asked.find(({ command }) => command === 'pin/add')?.query.get('name')).toBe('autopayllm-log-1');
    expect(await node.holds(block)).toBe(true);
    fake.asked = [];
    await node.keep(block);
    expect(commands()).not.toContain('pin/add');
  });

  it('is left to a recursive pin of the operator’s', async () => {
    fake.pins.set(cid.toString(), 'recursive');
    const node = await connect();
    await node.keep(block);
    expect(commands()).not.toContain('pin/add');
    expect(await node.holds(block)).toBe(true);
  });

  it('is put with the authorization that the node wants, in every question', async () => {
    await (await connect({ authorization: 'Bearer secret' })).keep(block);
    expect(new Set(fake.asked.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']));
  });

  it('is not held once its pin, or the block, or one of its bytes is gone', async () => {
    const node = await connect();
    expect(await node.holds(block)).toBe(false);
    await node.keep(block);
    fake.pins.clear();
    expect(await node.holds(block)).toBe(false);
    await node.keep(block);
    fake.blocks.set(cid.toString(), Buffer.from(bytes).fill(0, 9, 10));
    expect(await node.holds(block)).toBe(false);
    fake.blocks.clear();
    expect(await node.holds(block)).toBe(false);
  });
});

describe('a node that', () => {
  const unavailable = (reason: RegExp): unknown =>
    expect.objectContaining({ code: 'ipfs_unavailable', message: expect.stringMatching(reason) });

  it('says another CID is caught', async () => {
    const other = cidOfBlock(randomBytes(9)).toString();
    fake.intercept = (command, response) => command === 'block/put' && answerJson(response, { Key: other, Size: 9 });
    await expect((await connect()).keep(block)).rejects.toMatchObject({ code: 'verification_failed' });
  });

  it('gives other bytes back is caught', async () => {
    fake.intercept = (command, response) =>
      command === 'block/get' && (response.writeHead(200).end('other bytes'), true);
    await expect((await connect()).keep(block)).rejects.toMatchObject({
      code: 'verification_failed',
      message: expect.stringContaining('gives back other bytes'),
    });
  });

  it('does not have what it took is caught', async () => {
    fake.intercept = (command) => {
      if (command === 'block/get') fake.blocks.clear();
      return false;
    };
    await expect((await connect()).keep(block)).rejects.toMatchObject({
      code: 'verification_failed',
      message: expect.stringContaining('does not have'),
    });
  });

  it('says that it pinned, and did not, is caught', async () => {
    fake.intercept = (command, response) => command === 'pin/add' && answerJson(response, { Pins: [cid.toString()] });
    await expect((await connect()).keep(block)).rejects.toMatchObject({
      code: 'verification_failed',
      message: expect.stringContaining('lost the pin'),
    });
  });

  it.each(['block/put', 'block/get', 'pin/add', 'pin/ls'])('fails at %s is unavailable', async (failing) => {
    fake.intercept = (command, response) => command === failing && answerFailure(response, 'out of order');
    await expect((await connect()).keep(block)).rejects.toEqual(unavailable(/answered with status 500/));
  });

  it.each(['block/put', 'block/get', 'pin/add', 'pin/ls'])('hangs at %s is given up', async (failing) => {
    // Once before its answer, once within it.
    for (const begins of [false, true]) {
      fake.intercept = (command, response) => {
        if (command !== failing) return false;
        if (begins) response.writeHead(200, { 'content-type': 'application/json' }).write(' ');
        return true;
      };
      const node = await connect({ timeoutMs: 100 });
      await expect(node.keep(block)).rejects.toEqual(unavailable(/no answer within 100 ms/));
    }
  });

  it('is not there is unavailable, and nothing of its address is told', async () => {
    const node = await connect();
    await fake.close();
    await expect(node.keep(block)).rejects.toEqual(unavailable(/could not be reached \(ECONNREFUSED\)/));
    await expect(node.holds(block)).rejects.toEqual(unavailable(/^(?!.*127\.0\.0\.1)/));
  });

  it('hangs does not hold the end of the relay up', async () => {
    const stopping = new AbortController();
    fake.intercept = (command) => {
      setImmediate(() => stopping.abort());
      return command === 'block/put';
    };
    await expect((await connect({ signal: stopping.signal })).keep(block)).rejects.toEqual(unavailable(/did not take/));
  });
});
