import { beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { formatCheckpoint, originOf } from '../protocol/log/checkpoint.ts';
import { createRelaySigner } from '../protocol/log/relay-signature.ts';
import { createNoteSigner, signNote } from '../protocol/log/signed-note.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot } from '../protocol/merkle/inclusion.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { makeLog } from './testing/synthetic-log.ts';
import { ClaimList } from './verification.ts';
import type { LogSource } from './verify-checkpoint.ts';
import type { SeenLog } from './verify-consistency.ts';
import { verifyLogState } from './verify-log-state.ts';
import { LogWalk } from './walk-log.ts';

const autoPayLLM: Hex = `0x${'a1'.repeat(20)}`;
const chainId = 31_337;
const origin = originOf({ chainId, autoPayLLM });
const receiptKey = Buffer.alloc(32, 0x11);
const signer = addressOfPrivateKey(receiptKey);
const logKey = createNoteSigner({ name: origin, seed: Buffer.alloc(32, 1) });
const entries = Array.from({ length: 300 }, (_, index) => Buffer.from(`entry ${index}`));
const anchoredAtMs = 1_000_000;

/** A chain that knows the relay's key, and nothing else. */
const chain = {
  deployment: { chainId, contracts: { autoPayLLM, keyRegistry: autoPayLLM } },
  isReceiptKey: (key: Hex) => Promise.resolve(key === signer),
} as unknown as AuditChain;

/** A relay that serves these entries, and signs what it is told to. */
function serve(
  log: readonly Uint8Array[],
  change: { root?: Uint8Array; atMs?: number; name?: string; key?: Uint8Array } = {},
): LogSource {
  const leaves = log.map((entry) => hashLeaf(entry));
  const { root = merkleRoot(leaves), atMs = anchoredAtMs + 1, name = origin, key = receiptKey } = change;
  const text = formatCheckpoint({ origin: name, size: log.length, root });
  const scope = { chainId, verifyingContract: autoPayLLM };
  const relay = createRelaySigner({ name, scope, receiptKey: key, nowMs: () => atMs });
  return {
    name: 'http://relay',
    readCheckpoint: () => Promise.resolve(signNote(text, [logKey, relay])),
    readTile({ level, index, width }) {
      const span = 256 ** level;
      const hashOf = (position: number) => {
        const start = (index * 256 + position) * span;
        return merkleRoot(leaves.slice(start, start + span));
      };
      return Promise.resolve(Buffer.concat(Array.from({ length: width }, (_, position) => hashOf(position))));
    },
  };
}

let anchor: ChainAnchor;
let walk: LogWalk;
beforeEach(async () => {
  const { head, source } = await makeLog(entries.slice(0, 280), { perBlock: 50 });
  walk = new LogWalk(source, head);
  const hash: Hex = `0x${'99'.repeat(32)}`;
  anchor = {
    ...{ size: 280n, previousSize: 0n, anchoredAt: BigInt(anchoredAtMs / 1_000), root: toHex(head.root) },
    ...{ cid: toHex(head.cid.multihash.digest), transactionHash: hash },
  };
});

async function verify(logSource: LogSource | undefined, seen: SeenLog = {}) {
  const claims = new ClaimList();
  const verdict = await verifyLogState(claims, {
    chain,
    origin,
    anchor,
    walk,
    seen,
    nowMs: 5,
    ...(logSource && { logSource }),
  });
  return { ...verdict, said: claims.all.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`) };
}

describe('the state of a log', () => {
  it('holds where the relay signs the log that is anchored, at its size, beyond it, and before it', async () => {
    for (const [size, atMs] of [
      [280, 1],
      [300, 1],
      [281, 1],
      [256, 1],
      [100, 1],
    ] as const) {
      const { said, remember, conflict } = await verify(serve(entries.slice(0, size), { atMs }));
      expect(said[0]).toContain(`checkpoint_signed true: http://relay has ${size} entries`);
      expect(said[1]).toContain(
        `checkpoint_agrees true: the log that the relay serves and the anchored one have the same first ${Math.min(size, 280)}`,
      );
      expect(conflict).toBeUndefined();
      expect(remember).toMatchObject({
        anchor: { size: 280 },
        checkpoint: { size, seenAtMs: 5, evidence: { note: expect.any(String) } },
      });
    }
  });

  it('without a relay is that of the anchors', async () => {
    const { said, remember } = await verify(undefined);
    expect(said).toEqual([
      expect.stringContaining('checkpoint_signed null: not checked'),
      expect.stringContaining('consistent null'),
    ]);
    expect(Object.keys(remember ?? {})).toEqual(['anchor']);
  });

  it('is a fork where the relay signs another log than it anchored', async () => {
    for (const size of [280, 300, 120]) {
      const forged = entries.slice(0, size).with(70, Buffer.from('changed'));
      const { said, conflict, remember } = await verify(serve(forged, { atMs: 1 }));
      expect(said[1]).toMatch(
        /^checkpoint_agrees false: fork: of the first \d+ entries, the log that the relay serves has the root/,
      );
      expect(conflict).toMatchObject({ kind: 'fork', origin, rootFound: expect.stringMatching(/^0x/) });
      expect(remember).toBeUndefined();
    }
  });

  it('is rolled back where the relay signs less than is anchored, afterwards', async () => {
    const { said, conflict } = await verify(serve(entries.slice(0, 100), { atMs: anchoredAtMs + 60_001 }));
    expect(conflict).toMatchObject({ kind: 'rollback', earlier: { size: 280 }, later: { size: 100 } });
    expect(said[1]).toContain(
      'checkpoint_agrees false: rollback: the relay signs 100 entries, after 280 of them were anchored',
    );
  });

  it('is not accused where its checkpoint is a moment behind the anchor, be it of nothing', async () => {
    const behind = await verify(serve(entries.slice(0, 100), { atMs: anchoredAtMs + 60_000 }));
    expect(behind.said[1]).toMatch(/^checkpoint_agrees true/);
    const empty = await verify(serve([], { atMs: anchoredAtMs }));
    expect(empty.said[1]).toMatch(/^checkpoint_agrees null: not checked: the relay signed an empty log/);
    expect([empty.conflict, empty.remember]).toEqual([undefined, { anchor: expect.objectContaining({ size: 280 }) }]);
    const emptied = await verify(serve([], { atMs: anchoredAtMs + 60_001 }));
    expect(emptied.said[1]).toContain('checkpoint_agrees false: rollback: the relay signs 0 entries, after 280');
    expect(emptied.conflict).toMatchObject({ kind: 'rollback', later: { size: 0 } });
  });

  it('is rolled back, or forked, where this machine has seen otherwise', async () => {
    const { remember = {} } = await verify(serve(entries));
    expect((await verify(serve(entries), remember)).said[2]).toMatch(
      /^consistent true: .*the anchor of 280 .*the checkpoint of 300/,
    );
    const shorter = await verify(serve(entries.slice(0, 290)), remember);
    expect(shorter.said[2]).toContain('consistent false: rollback: the newest checkpoint is of 290 entries');
    expect(shorter.conflict).toMatchObject({ kind: 'rollback', earlier: { size: 300 }, later: { size: 290 } });
    // A shorter one that was signed before, such as a cache keeps, is no lie.
    const cached = await verify(serve(entries.slice(0, 290), { atMs: anchoredAtMs }), remember);
    expect(cached.said[2]).toMatch(
      /^consistent true: .* begins with the anchor of 280 .*; the checkpoint .* is left open$/,
    );
    expect([cached.conflict, cached.remember?.checkpoint?.size]).toEqual([undefined, 300]);
    const forked = await verify(serve([...entries.with(299, Buffer.from('changed')), Buffer.from('more')]), remember);
    expect(forked.said[2]).toContain('consistent false: fork: the first 300 entries of the log have the root');
    expect(forked.conflict).toMatchObject({ kind: 'fork', earlier: { size: 300 }, later: { size: 301 } });
  });

  it('is not told by a checkpoint of another key, of another log, or with tiles that do not lead to it', async () => {
    const foreign = await verify(serve(entries, { key: Buffer.alloc(32, 0x12) }));
    expect(foreign.said[0]).toMatch(
      /^checkpoint_signed false: the checkpoint is signed by 0x.*, which was no receipt key/,
    );
    const elsewhere = await verify(serve(entries, { name: originOf({ chainId: 1, autoPayLLM }) }));
    expect(elsewhere.said[0]).toContain('checkpoint_signed null: not checked: http://relay serves the log eip155/1/');
    const lying = await verify({ ...serve(entries), readTile: serve(entries.with(3, Buffer.from('x'))).readTile });
    expect(lying.said[1]).toContain('checkpoint_agrees false: the tiles of http://relay do not lead to the root');
    // That proves nothing to others: it is remembered neither way.
    expect(lying.conflict).toBeUndefined();
    expect(lying.remember).toMatchObject({ anchor: { size: 280 } });
    expect(lying.remember?.checkpoint).toBeUndefined();
    const silent: LogSource = { ...serve(entries), readCheckpoint: () => Promise.reject(new Error('no answer')) };
    expect((await verify(silent)).said[0]).toBe('checkpoint_signed null: not checked: no answer');
  });
});
