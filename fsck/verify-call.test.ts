import { randomBytes } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCallId } from '../protocol/receipt/call-id.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { toHex } from '../protocol/bytes/hex.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot } from '../protocol/merkle/inclusion.ts';
import { signDigest } from '../protocol/bytes/secp256k1.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { runAnchoring } from '../server/audit/run-anchoring.ts';
import { signedOf } from '../server/ledger/ledger-fixtures.ts';
import type { ChargeResult } from '../server/ledger/ledger.ts';
import { chargeCall } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import { verifyCall, type VerifyCallOptions } from './verify-call.ts';
import type { SeenLog } from './verify-consistency.ts';
import type { BlockSource } from './walk-log.ts';

let stack: ChainStack;
let relay: TestRelay;
const calls: ChargeResult[] = [];
/** The blocks as a stranger's store has them. */
const blocks = new Map<string, Uint8Array>();
const source: BlockSource = { get: async (cid: CID) => blocks.get(cid.toString()) };

beforeAll(async () => {
  stack = await deployStack();
  relay = await openTestRelay(stack);
  // Blocks of 3, 1 and 4 entries; two receipts of the last share one signature.
  for (const count of [3, 1]) {
    for (let call = 0; call < count; call += 1) calls.push(await freeCall());
    await anchor();
  }
  calls.push(await freeCall(), await freeCall());
  calls.push(...(await Promise.all([freeCall(), freeCall()])));
  await anchor();
});
afterAll(async () => {
  await relay?.close();
  await stack?.stop();
});

const freeCall = () => chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token: stack.contracts.usdc });

async function anchor(): Promise<void> {
  await runAnchoring(relay.deps());
  const block = await relay.ledger.lastBlock();
  if (block === undefined) throw new Error('nothing was anchored');
  blocks.set(block.cid, (await relay.blocks.get(CID.parse(block.cid))) ?? new Uint8Array());
}

function verify(call: ChargeResult, overrides: Partial<VerifyCallOptions> = {}) {
  const { contracts, chain } = stack;
  return verifyCall({
    callId: call.receipt.callId,
    signedReceipt: signedOf(call),
    ...{ rpcUrl: chain.rpcUrl, chainId: chain.chainId, contracts, deployedAtBlock: contracts.deployedAtBlock },
    blockSource: source,
    ...overrides,
  });
}

function at(index: number): ChargeResult {
  const call = calls[index];
  if (call === undefined) throw new Error(`no call ${index}`);
  return call;
}

/** The name and detail of the one claim that keeps a verification from being one. */
async function failureOf(verification: ReturnType<typeof verify>, verdict: false | null = false): Promise<string> {
  const { ok, claims } = await verification;
  expect(ok).toBe(false);
  const failed = claims.filter((claim) => claim.ok === verdict && !usuallyOpen.includes(claim.name));
  expect(failed).toHaveLength(1);
  return `${failed[0]?.name}: ${failed[0]?.detail}`;
}

/** What these verifications leave open: no relay is asked, nothing was seen before, and no channel pays. */
const usuallyOpen = ['checkpoint_signed', 'consistent', 'sequence_gap_free'];

describe('verifyCall', () => {
  it('proves every call of the log from chain and blocks alone', async () => {
    expect(blocks.size).toBe(3);
    for (const [index, call] of calls.entries()) {
      const { ok, claims, call: logged } = await verify(call);
      expect(claims.filter((claim) => claim.ok === false)).toEqual([]);
      expect(ok).toBe(true);
      expect(logged).toMatchObject({ index, receipt: call.receipt, anchor: { size: 8n } });
      expect(claims.map((claim) => `${claim.name} ${claim.ok}`)).toEqual([
        ...[
          'anchored true',
          'blocks_content_addressed true',
          'checkpoint_signed null',
          'consistent null',
          'codec true',
        ],
        ...['included true', 'included_by_contract true', 'receipt_logged true', 'relay_signed true'],
        ...['sequence_gap_free null', 'total_collected true', 'price true', 'budget_kept true'],
      ]);
    }
  });

  it('says less without the client’s receipt, and says so', async () => {
    const { contracts, chain } = stack;
    const verification = await verifyCall({
      callId: at(2).receipt.callId,
      ...{ rpcUrl: chain.rpcUrl, chainId: chain.chainId, contracts, deployedAtBlock: contracts.deployedAtBlock },
      blockSource: source,
    });
    expect(verification).toMatchObject({ ok: true, call: { index: 2 } });
    expect(verification.claims).toContainEqual({
      ...{ name: 'relay_signed', ok: null },
      detail: expect.stringMatching(/^not checked: the wallet has no receipt/),
    });
  });

  it('holds the log against what was seen of it: forks and rollbacks are named, with what shows them', async () => {
    const first = await verify(at(7));
    const { anchor } = first.remember ?? {};
    expect(anchor).toMatchObject({ size: 8, root: first.call?.anchor.root });
    const consistent = async (seen: SeenLog) => {
      const verification = await verify(at(7), { seen });
      const claim = verification.claims.find(({ name }) => name === 'consistent');
      return { verification, text: `${claim?.ok}: ${claim?.detail}` };
    };
    if (!anchor) throw new Error('there is no anchor');
    const again = await consistent({ anchor });
    expect(again.text).toMatch(/^true: the log of 8 entries begins with the anchor of 8 entries that this machine saw/);
    expect(again.verification.ok).toBe(true);
    // Sizes that are no block's end are within reach too, and such as lie before the call's block.
    for (const size of [1, 2, 3, 4, 6]) {
      const root = toHex(merkleRoot(calls.slice(0, size).map((call) => hashLeaf(signedOf(call).entry))));
      expect((await consistent({ checkpoint: { ...anchor, size, root } })).text).toMatch(/^true: /);
      const forked = await consistent({ anchor: { ...anchor, size, root: anchor.root } });
      expect(forked.text).toMatch(
        new RegExp(`^false: fork: the first ${size} entries of the log have the root ${root}`),
      );
      expect(forked.verification).toMatchObject({
        ok: false,
        conflict: { kind: 'fork', rootFound: root, earlier: { size } },
      });
      expect(forked.verification.remember).toBeUndefined();
    }
    // No relay can take an anchor back, so this accuses the endpoint; what was seen is not forgotten.
    const behind = await consistent({ anchor: { ...anchor, size: 9 } });
    expect(behind.text).toMatch(
      /^false: the newest anchor that the endpoint shows is of 8 entries, fewer than the anchor of 9/,
    );
    expect(behind.verification).toMatchObject({ ok: false, remember: { anchor: { size: 9 } } });
    expect(behind.verification.conflict).toBeUndefined();
    // A checkpoint may be ahead of the anchors: then there is nothing to hold it against, and it is not forgotten.
    const ahead = await consistent({ checkpoint: { ...anchor, size: 9 } });
    expect(ahead.text).toMatch(/^null: not checked: the checkpoint .* is ahead/);
    expect(ahead.verification.remember).toMatchObject({ anchor: { size: 8 }, checkpoint: { size: 9 } });
  });

  it('does not find a call that was never made', async () => {
    expect(await failureOf(verify(at(0), { callId: createCallId() }))).toMatch(/^included: no entry/);
  });

  it('fails on a block that is missing or has other bytes', async () => {
    const withoutFirst: BlockSource = {
      get: async (cid) => (cid.toString() === [...blocks.keys()][0] ? undefined : blocks.get(cid.toString())),
    };
    expect(await failureOf(verify(at(0), { blockSource: withoutFirst }), null)).toMatch(
      /^blocks_content_addressed: not checked: .*is not at the source/,
    );
    // What lies in later blocks does not need it.
    expect(await verify(at(5), { blockSource: withoutFirst })).toMatchObject({ ok: true });
    const flipped: BlockSource = {
      async get(cid) {
        const bytes = Uint8Array.from(blocks.get(cid.toString()) ?? []);
        bytes[200] = (bytes[200] ?? 0) ^ 1;
        return bytes;
      },
    };
    expect(await failureOf(verify(at(0), { blockSource: flipped }))).toMatch(/has the CID/);
  });

  it('fails on a receipt that differs from the log, or was signed by someone else', async () => {
    const { receipt } = at(1);
    const signed = signedOf(at(1));
    const altered = { ...signed, entry: encodeReceipt({ ...receipt, modelServed: 'something-better' }) };
    const { claims } = await verify(at(1), { signedReceipt: altered });
    const failed = claims.filter(({ ok }) => ok === false).map(({ name, detail }) => `${name}: ${detail}`);
    expect(failed).toEqual([
      'receipt_logged: the receipt that the client was given differs from the logged entry',
      expect.stringMatching(/^relay_signed: .*was not a receipt key/),
    ]);
    const scope = { chainId: stack.chain.chainId, verifyingContract: stack.contracts.autoPayLLM };
    const digest = receiptBatchDigest(receiptDomainSeparator(scope), {
      root: hashLeaf(signed.entry),
      size: 1,
      signedAtMs: 1,
    });
    const forged = (key: Uint8Array): SignedReceipt => ({
      ...signed,
      index: 0,
      size: 1,
      path: [],
      signedAtMs: 1,
      signature: signDigest(digest, key),
    });
    const failure = (key: Uint8Array) => failureOf(verify(at(1), { signedReceipt: forged(key) }));
    expect(await failure(randomBytes(32))).toMatch(/which was not a receipt key of KeyRegistry/);
    // The relay's own key, at a time before it was one: no evidence, whatever role the relay has now.
    expect(await failure(stack.relayKey)).toMatch(new RegExp(`signed by ${stack.relay}, which was not a receipt key`));
    const pathless: SignedReceipt = { ...signed, size: 2, path: [] };
    expect(await failureOf(verify(at(1), { signedReceipt: pathless }))).toMatch(/^relay_signed: the path/);
  });

  it('checks nothing without a chain, on another one, or before the first anchor', async () => {
    const elsewhere = { ...stack.contracts, auditLog: stack.contracts.usdc };
    expect(await failureOf(verify(at(0), { contracts: elsewhere }), null)).toMatch(/^anchored: not checked: /);
    expect(await failureOf(verify(at(0), { rpcUrl: 'http://127.0.0.1:1' }), null)).toMatch(/^anchored: not checked: /);
    expect(await failureOf(verify(at(0), { chainId: 1 }), null)).toMatch(/^anchored: .*the endpoint is on chain/);
    await expect(verify(at(0), { callId: 'call-1' })).rejects.toMatchObject({ code: 'invalid_encoding' });
  });
});
