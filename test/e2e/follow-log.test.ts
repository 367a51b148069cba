import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recoverSignedCheckpoint } from '../../protocol/log/relay-signature.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/*
 * A reader of logs as C2SP has them (signed-note, tlog-checkpoint, tlog-tiles), written from the specifications: it shares nothing
 * with the relay but HTTP.
 */

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha256(Buffer.of(1), left, right);

/** RFC 6962 §2.1, by its recursive definition. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length < 2) return leaves[0] ?? sha256();
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return nodeHash(treeHash(leaves.slice(0, half)), treeHash(leaves.slice(half)));
}

interface Checkpoint {
  origin: string;
  size: number;
  root: Buffer;
  note: string;
}

class LogReader {
  readonly #url: string;
  readonly entries: Buffer[] = [];
  /** Full tiles of level 0, kept. */
  readonly #leaves: Buffer[] = [];
  checkpoint: Checkpoint | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async get(path: string): Promise<Buffer> {
    const response = await fetch(`${this.#url}/log/${path}`);
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  /** Reads the newest checkpoint, and all entries under it; each root is computed from them. */
  async follow(verifierKey: string): Promise<Checkpoint> {
    const checkpoint = openCheckpoint((await this.get('checkpoint')).toString(), verifierKey);
    const { size, root } = checkpoint;
    const before = this.checkpoint;
    if (before && size < before.size) throw new Error(`rolled back from ${before.size} to ${size}`);
    for (let tile = Math.floor(this.entries.length / 256); tile * 256 < size; tile += 1) {
      const width = Math.min(256, size - tile * 256);
      const place = `${String(tile).padStart(3, '0')}${width < 256 ? `.p/${width}` : ''}`;
      const hashes = await this.get(`tile/0/${place}`);
      const entries = splitBundle(await this.get(`tile/entries/${place}`));
      expect(hashes).toHaveLength(width * 32);
      expect(Buffer.concat(entries.map((entry) => sha256(Buffer.of(0), entry)))).toEqual(hashes);
      this.entries.splice(tile * 256, 256, ...entries);
      this.#leaves.splice(tile * 256, 256, ...entries.map((entry) => sha256(Buffer.of(0), entry)));
    }
    // What was read before is not read again: this is the proof that the log begins with it.
    expect(this.entries).toHaveLength(size);
    if (!root.equals(treeHash(this.#leaves))) throw new Error(`the root of ${size} is another`);
    for (let tile = 0; (tile + 1) * 256 <= size; tile += 1) {
      const above = await this.get(`tile/1/000.p/${Math.floor(size / 256)}`);
      expect(above.subarray(tile * 32, tile * 32 + 32)).toEqual(
        treeHash(this.#leaves.slice(tile * 256, tile * 256 + 256)),
      );
    }
    return (this.checkpoint = checkpoint);
  }
}

function openCheckpoint(note: string, verifierKey: string): Checkpoint {
  // The base64 may have a plus of its own.
  const [name, id, ...material] = verifierKey.split('+');
  const key = Buffer.from(material.join('+'), 'base64');
  expect(key[0]).toBe(1);
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  const line = note
    .slice(end + 1)
    .split('\n')
    .find((candidate) => candidate.startsWith(`— ${name} `) && idOf(candidate) === id);
  const signature = Buffer.from(line?.split(' ')[2] ?? '', 'base64').subarray(4);
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  if (!verify(null, Buffer.from(text), publicKey, signature)) throw new Error('the checkpoint is not signed');
  const [origin = '', size = '', root = ''] = text.split('\n');
  expect(origin).toBe(name);
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), note };
}

const idOf = (line: string) => Buffer.from(line.split(' ')[2] ?? '', 'base64').toString('hex', 0, 4);

function splitBundle(bundle: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at < bundle.length;) {
    const length = bundle.readUInt16BE(at);
    entries.push(bundle.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return entries;
}

let stack: TestStack;
let keys: string[];
beforeAll(async () => {
  stack = await startTestStack({
    config: { audit: { intervalSeconds: 600, maxMergeDelaySeconds: 1 }, free: { requestsPerMinute: 100_000 } },
  });
  keys = (await (await fetch(`${stack.stack.relayUrl}/log/key`)).text()).trimEnd().split('\n');
});
afterAll(() => stack?.stop());

/** Free calls; what came back as their receipts. */
async function call(count: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  const one = async () => {
    const headers = { 'content-type': 'application/json' };
    const body = chatBody({ model: 'sim-free' });
    const response = await fetch(`${stack.stack.relayUrl}/v1/chat/completions`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    await response.text();
    entries.push(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
  };
  const left = Array.from({ length: count }).values();
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (const _ of left) await one();
    }),
  );
  return entries;
}

/** Follows until the log has as many entries: within the delay that the relay promises, and what a busy machine takes. */
async function followTo(reader: LogReader, size: number): Promise<Checkpoint> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const checkpoint = await reader.follow(keys[0] ?? '');
    if (checkpoint.size >= size) return checkpoint;
    if (Date.now() > deadline) throw new Error(`the log has ${checkpoint.size} entries only`);
    await sleep(100);
  }
}

describe('the log of a relay', () => {
  it('is followed by its tiles, has every receipt, and goes on after a crash', { timeout: 120_000 }, async () => {
    const [reader, other] = [new LogReader(stack.stack.relayUrl), new LogReader(stack.stack.relayUrl)];
    expect((await reader.follow(keys[0] ?? '')).size).toBe(0);
    const receipts = await call(5);
    const first = await followTo(reader, 5);
    receipts.push(...(await call(300)));
    await Promise.all([followTo(reader, 305), followTo(other, 305)]);
    expect(reader.checkpoint?.root).toEqual(other.checkpoint?.root);
    const logged = new Set(reader.entries.map((entry) => entry.toString('hex')));
    for (const receipt of receipts) expect(logged.has(Buffer.from(receipt).toString('hex'))).toBe(true);

    const { contracts, chainId } = stack.stack;
    const scope = { chainId, verifyingContract: contracts.autoPayLLM };
    expect(first.origin).toBe(`eip155/${chainId}/${contracts.autoPayLLM.toLowerCase()}`);
    const { signer, size } = recoverSignedCheckpoint(reader.checkpoint?.note ?? '', scope);
    expect({ signer, size }).toEqual({ signer: stack.relayAddress, size: 305 });

    await call(3);
    await stack.killRelay();
    await stack.startRelay();
    await call(1);
    await followTo(reader, 309);
    await followTo(new LogReader(stack.stack.relayUrl), 309);
  });

  it('is not served from books that were put back to an older copy', { timeout: 120_000 }, async () => {
    const { dataDir } = stack.stack;
    const folder = await mkdtemp(join(tmpdir(), 'autopay-copy-'));
    const books = join(dataDir, 'ledger.sqlite');
    const reader = new LogReader(stack.stack.relayUrl);
    try {
      const { size } = await reader.follow(keys[0] ?? '');
      await stack.stopRelay();
      await copyFile(books, join(folder, 'older'));
      await stack.startRelay();
      await call(2);
      await followTo(reader, size + 2);
      const anchored = (await stack.runJob('anchor')) as { size: number; cid: string; root: string };
      expect(anchored).toMatchObject({ size: size + 2, root: `0x${reader.checkpoint?.root.toString('hex')}` });
      const block = await fetch(`${stack.stack.relayUrl}/ipfs/${anchored.cid}?format=raw`);
      expect([block.status, block.headers.get('content-type')]).toEqual([200, 'application/vnd.ipld.raw']);
      await stack.stopRelay();
      await copyFile(books, join(folder, 'newest'));

      const refusal = /log_rolled_back|not the newest books/;
      await copyFile(join(folder, 'older'), books);
      await expect(stack.startRelay()).rejects.toThrow(refusal);
      // As if the whole folder had been put back: only the chain knows of more.
      await rename(join(dataDir, 'log'), join(folder, 'log'));
      await expect(stack.startRelay()).rejects.toThrow(refusal);
      await rm(join(dataDir, 'log'), { recursive: true });
      await copyFile(join(folder, 'newest'), books);
      await stack.startRelay();
      await followTo(reader, size + 2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
