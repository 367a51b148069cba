import { randomBytes } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCallId } from '../protocol/receipt/call-id.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { signDigest } from '../protocol/bytes/secp256k1.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { runAnchoring } from '../server/audit/run-anchoring.ts';
import type { ChargeResult } from '../server/ledger/ledger.ts';
import { chargeCall } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import { verifyCall, type VerifyCallOptions } from './verify-call.ts';
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
  const { auditLog, autoPayLLM, priceBook, priceOracle, keyRegistry, deployedAtBlock } = stack.contracts;
  return verifyCall({
    callId: call.receipt.callId,
    signedReceipt: call.signed,
    rpcUrl: stack.chain.rpcUrl,
    ...{ auditLog, autoPayLLM, priceBook, priceOracle, keyRegistry, deployedAtBlock, blockSource: source },
    ...overrides,
  });
}

function at(index: number): ChargeResult {
  const call = calls[index];
  if (call === undefined) throw new Error(`no call ${index}`);
  return call;
}

/** The name and detail of the one claim that fails. */
async function failureOf(verification: ReturnType<typeof verify>): Promise<string> {
  const { ok, claims } = await verification;
  expect(ok).toBe(false);
  const failed = claims.filter((claim) => !claim.ok);
  expect(failed).toHaveLength(1);
  return `${failed[0]?.name}: ${failed[0]?.detail}`;
}

describe('verifyCall', () => {
  it('proves every call of the log from chain and blocks alone', async () => {
    expect(blocks.size).toBe(3);
    for (const [index, call] of calls.entries()) {
      const { ok, claims, call: logged } = await verify(call);
      expect(claims.filter((claim) => !claim.ok)).toEqual([]);
      expect(ok).toBe(true);
      expect(logged).toMatchObject({ index, receipt: call.receipt, anchor: { size: 8n } });
      expect(claims.map((claim) => claim.name)).toEqual([
        'anchored',
        'blocks_content_addressed',
        'included',
        'included_by_contract',
        'receipt_logged',
        'relay_signed',
      ]);
    }
  });

  it('says less without the client’s receipt', async () => {
    const { auditLog, autoPayLLM, priceBook, priceOracle, keyRegistry, deployedAtBlock } = stack.contracts;
    const { rpcUrl } = stack.chain;
    const { callId } = at(2).receipt;
    const verification = await verifyCall({
      callId,
      rpcUrl,
      ...{ auditLog, autoPayLLM, priceBook, priceOracle, keyRegistry, deployedAtBlock },
      blockSource: source,
    });
    expect(verification).toMatchObject({ ok: true, call: { index: 2 } });
    expect(verification.claims.map((claim) => claim.name)).not.toContain('relay_signed');
  });

  it('does not find a call that was never made', async () => {
    expect(await failureOf(verify(at(0), { callId: createCallId() }))).toMatch(/^blocks_content_addressed: no entry/);
  });

  it('fails on a block that is missing or has other bytes', async () => {
    const withoutFirst: BlockSource = {
      get: async (cid) => (cid.toString() === [...blocks.keys()][0] ? undefined : blocks.get(cid.toString())),
    };
    expect(await failureOf(verify(at(0), { blockSource: withoutFirst }))).toMatch(/is not at the source/);
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
    const { signed, receipt } = at(1);
    const altered = { ...signed, entry: encodeReceipt({ ...receipt, modelServed: 'something-better' }) };
    expect(await failureOf(verify(at(1), { signedReceipt: altered }))).toMatch(
      /^relay_signed: .*differs from the logged entry/,
    );
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

  it('fails before the first anchor, and without a chain', async () => {
    const noLog = await failureOf(verify(at(0), { auditLog: stack.contracts.usdc }));
    expect(noLog).toMatch(/^anchored: /);
    expect(await failureOf(verify(at(0), { rpcUrl: 'http://127.0.0.1:1' }))).toMatch(/^anchored: /);
    await expect(verify(at(0), { callId: 'call-1' })).rejects.toMatchObject({ code: 'invalid_encoding' });
  });
});
