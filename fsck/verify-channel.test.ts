import { describe, expect, it } from 'vitest';
import { zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { makeLog, makeReceipt, SyntheticChannel, syntheticStartMs } from './testing/synthetic-log.ts';
import { ClaimList } from './verification.ts';
import { createChannelView, verifyChannel } from './verify-channel.ts';
import { LogWalk } from './walk-log.ts';

const terms = {
  payer: `0x${'aa'.repeat(20)}`,
  channelId: `0x${'01'.repeat(32)}`,
  token: `0x${'cc'.repeat(20)}`,
  priceRoot: `0x${'0d'.repeat(32)}`,
} as const;
const anchorAt = (atMs: number) => ({ anchoredAt: BigInt(atMs / 1_000) }) as unknown as ChainAnchor;
const minuteMs = 60_000;

/** A chain that has paid this much, `due` of it a while ago, and lets a receipt take a minute to be logged. */
function chainWith({
  settled = 0n,
  due = 0n,
  cost = 0n,
  owner = terms.payer,
}: { settled?: bigint; due?: bigint; cost?: bigint; owner?: Hex } = {}): AuditChain {
  const answers = {
    readChannel: () => Promise.resolve({ payer: owner, token: terms.token, settled }),
    settledBefore: (_: Hex, agoMs: number) => Promise.resolve(agoMs === minuteMs ? due : settled),
    maxMergeDelayMs: () => Promise.resolve(minuteMs),
    costOfCall: () => Promise.resolve(cost),
  };
  return answers as unknown as AuditChain;
}

function makeCalls(count: number): CallReceipt[] {
  const channel = new SyntheticChannel(terms);
  return Array.from({ length: count }, () => channel.charge(10n));
}

function sign(receipt: CallReceipt): SignedReceipt {
  const none = Buffer.alloc(32);
  const batch = { index: 0, size: 1, signedAtMs: syntheticStartMs, path: [], signature: Buffer.alloc(65) };
  return { entry: encodeReceipt(receipt), ...batch, requestSalt: none, responseSalt: none };
}

interface Given {
  logged: readonly CallReceipt[];
  /** The wallet's; the first of them is that of the call. */
  held: readonly CallReceipt[];
  settled?: bigint;
  due?: bigint;
  /** The channel's payer at the escrow. */
  owner?: Hex;
  anchoredAtMs?: number;
}

/** Walks from the end to the block of the call, as a verification does. */
async function verify(given: Given): Promise<string[]> {
  const { logged, held, settled = 0n, due = 0n, anchoredAtMs = syntheticStartMs, owner } = given;
  const [receipt = makeReceipt()] = held;
  const chain = chainWith({ settled, due, ...(owner && { owner }) });
  const signed = held.map(sign);
  const view = await createChannelView(chain, { receipts: signed, ...(signed[0] && { signedReceipt: signed[0] }) });
  const { head, source } = await makeLog(
    logged.map((one) => encodeReceipt(one)),
    { perBlock: 3 },
  );
  const walk = new LogWalk(source, head);
  const wanted = logged.findIndex(({ callId }) => callId === receipt.callId);
  while (walk.start > wanted) {
    const block = await walk.back();
    if (block) view?.read(block);
  }
  const claims = new ClaimList();
  await verifyChannel(claims, { chain, receipt, view, anchor: anchorAt(anchoredAtMs) });
  return claims.all.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`);
}

describe('the channel of a call', () => {
  it('is without a gap from the call on; what lies before is said', async () => {
    const calls = makeCalls(9);
    const [whole] = await verify({ logged: calls, held: calls });
    expect(whole).toMatch(/^sequence_gap_free true: the log has receipts 1 to 9 of channel 0x01/);
    const held = [calls[7] ?? makeReceipt(), ...calls.slice(3, 7)];
    const [part] = await verify({ logged: calls, held });
    expect(part).toMatch(/true: the log has receipts 7 to 9 .*; of the 6 before, this wallet has 3 receipt\(s\)/);
  });

  it('names what is missing, what was put in its place, and what should be there by now', async () => {
    const calls = makeCalls(6);
    const [first = makeReceipt()] = calls;
    expect((await verify({ logged: calls.toSpliced(3, 1), held: calls }))[0]).toContain('no entry for receipt(s) 4');
    const other = { ...(calls[3] ?? first), callId: makeReceipt().callId };
    expect((await verify({ logged: calls.with(3, other), held: calls }))[0]).toContain(
      `receipt 4 is logged as call ${other.callId}, and the wallet's is call ${calls[3]?.callId}`,
    );
    const short = { logged: calls.slice(0, 5), held: calls };
    expect((await verify(short))[0]).toMatch(/^sequence_gap_free true/);
    const late = await verify({ ...short, anchoredAtMs: syntheticStartMs + minuteMs + 1_000 });
    expect(late[0]).toMatch(
      /^sequence_gap_free false: .*receipt\(s\) 6 of this wallet are not in the log, and should be/,
    );
  });

  it('has paid the running total of a receipt, and no other amount', async () => {
    const calls = makeCalls(5);
    for (const settled of [0n, 10n, 30n, 50n]) {
      expect((await verify({ logged: calls, held: calls, settled }))[1], `${settled}`).toMatch(/^total_collected true/);
    }
    const beyond = { logged: calls, held: calls, settled: 51n };
    expect((await verify({ ...beyond, due: 51n }))[1]).toContain('1 was collected beyond them');
    // Others spend of the same channel, such as API keys, whose receipts this wallet does not have.
    expect((await verify({ ...beyond, due: 50n }))[1]).toMatch(/^total_collected null: .*need not be in the log yet/);
    expect((await verify({ logged: calls, held: calls, settled: 35n }))[1]).toContain(
      'the running total of no receipt',
    );
    // A receipt that is not anchored yet explains it, too.
    expect((await verify({ logged: calls.slice(0, 4), held: calls, settled: 50n }))[1]).toMatch(
      /^total_collected true/,
    );
  });

  it('is one that the escrow has, of the same payer and in the same token', async () => {
    const [call = makeReceipt()] = makeCalls(1);
    const dear = { ...call, token: `0x${'dd'.repeat(20)}` as const };
    expect((await verify({ logged: [dear], held: [dear] }))[1]).toMatch(
      /^total_collected false: the receipt charges 0xaa.* in 0xdd.*, and its channel .* is of 0xaa.*, in 0xcc/,
    );
    const stranger = { ...call, payer: `0x${'bb'.repeat(20)}` as const };
    expect((await verify({ logged: [stranger], held: [stranger] }))[1]).toMatch(
      /^total_collected false: .*charges 0xbb/,
    );
    const unknown = await verify({ logged: [call], held: [call], owner: zeroAddress });
    expect(unknown[1]).toMatch(/^total_collected false: the escrow has no channel 0x01/);
  });

  it('is not known without the receipt, nor asked where none pays', async () => {
    const [call = makeReceipt()] = makeCalls(1);
    const claims = new ClaimList();
    const settled = await verifyChannel(claims, {
      chain: chainWith({ settled: 7n }),
      receipt: call,
      view: undefined,
      anchor: anchorAt(0),
    });
    expect([settled, claims.all.map(({ ok }) => ok)]).toEqual([7n, [null, null]]);
    const judge = async (receipt: CallReceipt, owner: Hex) => {
      const found = new ClaimList();
      await verifyChannel(found, { chain: chainWith({ owner }), receipt, view: undefined, anchor: anchorAt(0) });
      return found.all.map(({ ok }) => ok);
    };
    expect(await judge({ ...call, token: `0x${'dd'.repeat(20)}` }, terms.payer)).toEqual([null, false]);
    // It may be of another chain.
    expect(await judge(call, zeroAddress)).toEqual([null, null]);
  });

  it('does not matter for an allowance, which paid the charge up to a billing unit', async () => {
    const agpt: Hex = `0x${'ab'.repeat(20)}`;
    const receipt = makeReceipt({ payer: terms.payer, token: agpt, amount: 10n ** 15n });
    const judge = async (cost: bigint) => {
      const claims = new ClaimList();
      await verifyChannel(claims, { chain: chainWith({ cost }), receipt, view: undefined, anchor: anchorAt(0) });
      return claims.all.map(({ name, ok }) => `${name} ${ok}`);
    };
    const unit = 10n ** 18n / 1_250n;
    expect(await judge(2n * unit)).toEqual(['sequence_gap_free null', 'total_collected true']);
    expect(await judge(10n ** 15n + unit)).toContain('total_collected false');
    expect(await judge(10n ** 15n - 1n)).toContain('total_collected false');
    // It was paid some other way.
    expect(await judge(0n)).toContain('total_collected null');
  });
});
