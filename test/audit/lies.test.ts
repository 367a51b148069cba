import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { CID } from 'multiformats/cid';
import OpenAI from 'openai';
import { encodeFunctionData } from 'viem';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSender } from '../../client/chain/open-deployment.ts';
import { createPriceFacts } from '../../client/chain/read-price-facts.ts';
import { leavesOf } from '../../client/disputes/held-receipt.ts';
import { readEvidenceFile } from '../../client/disputes/build-evidence.ts';
import { endDispute } from '../../client/disputes/end-dispute.ts';
import type { Evidence } from '../../client/disputes/evidence-schema.ts';
import { expectOutcome } from '../../client/disputes/expect-outcome.ts';
import { describeHole } from '../../client/disputes/find-contradictions.ts';
import { findFraud, type FraudReport } from '../../client/disputes/find-fraud.ts';
import { openDispute, readDisputeCost } from '../../client/disputes/open-dispute.ts';
import { readDisputes, type DisputeStatus } from '../../client/disputes/read-disputes.ts';
import { openWallet } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import { connect } from '../../fsck/chain-reader.ts';
import { readAnchoredLog } from '../../fsck/read-anchored-log.ts';
import { verifyCall, type CallVerification, type VerifyCallOptions } from '../../fsck/verify-call.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { cidOfDigest } from '../../protocol/log/batch-block.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { signVoucher } from '../../protocol/typed-data/sign-voucher.ts';
import { advanceTime } from '../../scripts/demo/move-time.ts';
import { openVoter, type Voter } from '../../scripts/demo/open-voter.ts';
import { readRelayKey } from '../../scripts/demo/read-relay-key.ts';
import { makeWallet, rpc, sendToken, setBalance, type BuyerWallet } from '../support/buyer-wallet.ts';
import { anchorFalsely, ForgedBlocks, forgeLog } from '../support/forge-log.ts';
import { startLyingRelay, type Lie, type LyingRelay } from '../support/lying-relay.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { openCatchBook } from './catch-book.ts';
import { liesFile } from './lie-table.ts';

/** Local disputes: see ignition/parameters/local.json and IBillingDisputes. */
const MERGE_DELAY_SECONDS = 1_800;
const ANSWER_SECONDS = 86_400;

const book = openCatchBook(liesFile);
let stack: TestStack;
let voter: Voter;
let relayKey: Hex;
let lying: LyingRelay;
let folder: string;
/** Of the wallet that is lied to; where `autopay dispute find` looks. */
let stateDir: string;
let warnings: string[] = [];
let liedTo: OpenAI;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-lies-'));
  // The relay anchors nothing and answers no challenge: who lies here is the test, with the relay's key.
  const jobs = { audit: { intervalSeconds: 86_400 }, disputes: { intervalSeconds: 3_600 } };
  stack = await startTestStack({ extraRoutes: ['sim-large'], config: jobs });
  voter = await openVoter(stack.stack);
  relayKey = await readRelayKey(stack.stack);
  const { chainId, contracts, relayUrl } = stack.stack;
  const scope = { chainId, verifyingContract: contracts.autoPayLLM };
  lying = await startLyingRelay({ target: relayUrl, scope, key: fromHex(relayKey, 32) });
  stateDir = join(stack.stack.dataDir, 'client');
  liedTo = openClient(lying.url, stateDir);
}, 180_000);
afterAll(async () => {
  await lying?.stop();
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});

function openClient(relayUrl: string, state: string, privateKey = stack.payFetchOptions.privateKey): OpenAI {
  const { contracts, rpcUrl } = stack.stack;
  const onWarning = (message: string) => void warnings.push(message);
  const wallet = openWallet({ relayUrl, rpcUrl, privateKey, stateDir: state, contracts, onWarning });
  return new OpenAI({ baseURL: `${relayUrl}/v1`, apiKey: 'unused', fetch: createPayFetch(wallet), maxRetries: 0 });
}

/** A wallet with a channel of its own. */
async function fundWallet(): Promise<BuyerWallet> {
  const { rpcUrl, tokens } = stack.stack;
  const wallet = makeWallet();
  await setBalance(rpcUrl, wallet.address);
  const token = tokens['USDC']?.address ?? '0x';
  await sendToken({ rpcUrl, token, from: voter.walletKey, to: wallet.address, amount: 20_000_000n });
  return wallet;
}

const ask = (client: OpenAI) =>
  client.chat.completions.create({
    model: 'sim-small',
    messages: [{ role: 'user', content: 'Is this the truth?' }],
    max_completion_tokens: 40,
  });

const evidenceOf = (state: string) => readdir(join(state, 'evidence')).catch((): string[] => []);

/** Another receipt than the true one; what it counts follows from what it charges. */
const charging = (change: (receipt: CallReceipt) => Partial<CallReceipt>): Lie => ({
  receipt(receipt) {
    const changed = { ...receipt, ...change(receipt) };
    const { runningTotal } = changed === receipt ? receipt : changed;
    return { ...changed, runningTotal: runningTotal + changed.amount - receipt.amount };
  },
});
const otherBytes: Hex = `0x${'0b'.repeat(32)}`;

/** Each flips one thing of what the real relay says, and signs that with the real relay's key. */
const toldAtCall: Record<string, { lie: Lie; evidence?: Evidence['kind'] }> = {
  'double-receipt': {
    lie: { receipt: (receipt) => ({ ...receipt, sequence: receipt.sequence - 1 }) },
    evidence: 'duplicate-sequence',
  },
  'running-total': {
    lie: { receipt: (receipt) => ({ ...receipt, runningTotal: receipt.runningTotal + 7n }) },
    evidence: 'wrong-running-total',
  },
  'wrong-price': { lie: charging(({ amount }) => ({ amount: amount * 2n })), evidence: 'overcharge' },
  'unpublished-prices': { lie: charging(() => ({ priceRoot: otherBytes })), evidence: 'unpublished-prices' },
  'other-time': { lie: charging(({ admittedAtMs }) => ({ admittedAtMs: admittedAtMs + 600_000 })) },
  'signed-early': { lie: { signed: { signedAtMs: Date.now() - 600_000 } } },
  'above-quote': {
    // At 0.60 US dollars per million tokens, as the stack's prices have it.
    lie: charging(({ amount, usage }) => {
      const completion = usage.completion + 100_000;
      return { amount: amount + 60_000n, usage: { ...usage, completion } };
    }),
  },
  'other-model': { lie: charging(() => ({ modelAsked: 'sim-large' })), evidence: 'metering' },
  'other-request': { lie: charging(() => ({ requestCommitment: otherBytes })), evidence: 'metering' },
  'other-answer': { lie: charging(() => ({ responseCommitment: otherBytes })), evidence: 'metering' },
  'withheld-salts': {
    lie: { signed: { requestSalt: Buffer.alloc(32), responseSalt: Buffer.alloc(32) } },
    evidence: 'metering',
  },
  'other-call': { lie: charging(() => ({ callId: '01890000-0000-7000-8000-000000000000' })) },
  'other-channel': { lie: charging(() => ({ channelId: otherBytes })) },
  stranger: { lie: { key: Buffer.alloc(32, 7) } },
  'no-receipt': { lie: { isWithoutReceipt: true } },
};

describe('at the call', () => {
  it.each(Object.keys(toldAtCall))('%s', async (id) => {
    const { lie, evidence } = toldAtCall[id] ?? { lie: {} };
    // A true receipt before it: lies are told among truths.
    await ask(liedTo);
    const before = await evidenceOf(stateDir);
    warnings = [];
    lying.lie = lie;
    try {
      // Whatever it says of the price, the answer was paid for.
      expect((await ask(liedTo)).choices).toHaveLength(1);
    } finally {
      lying.lie = undefined;
    }
    book.expectCaught(id, 'the wallet, at the call', warnings.join('\n'));
    // The answer does not wait for the chain, which is asked about prices.
    await vi.waitFor(async () => {
      const written = (await evidenceOf(stateDir)).filter((file) => !before.includes(file));
      expect(written.map((file) => file.split(/-[0-9a-f]{8}-|-0x/)[0])).toEqual(
        evidence === undefined ? [] : expect.arrayContaining([evidence]),
      );
      for (const file of written) expect(warnings.join('\n')).toContain(file);
    }, 10_000);
  });

  it('the truth raises no warning, before lies and after', async () => {
    // With the first the wallet's books catch up with what was charged behind its back.
    await ask(liedTo);
    warnings = [];
    await Promise.all([ask(liedTo), ask(liedTo), ask(liedTo)]);
    expect(warnings).toEqual([]);
  });
});

describe('lies that were told', () => {
  let report: FraudReport;

  it('are found again by looking through the record', async () => {
    await stack.runJob('collect');
    report = await search(stateDir);
    const said = report.findings.map(({ reason }) => reason).join('\n');
    const foundAgain = [
      'double-receipt',
      'running-total',
      'wrong-price',
      'unpublished-prices',
      'other-model',
      'other-request',
      'other-answer',
    ];
    for (const id of foundAgain) book.expectCaught(id, '`autopay dispute find`', said);
    // And nothing else: warnings without evidence accuse nobody.
    const kinds = new Set(report.findings.map(({ evidence }) => evidence.kind));
    expect([...kinds].toSorted()).toEqual([
      'duplicate-sequence',
      'metering',
      'overcharge',
      'unpublished-prices',
      'wrong-running-total',
    ]);
  });

  it('are found by the command, which names file, refund and what to do next', async () => {
    const { code, printed } = await autopay('dispute', 'find', '--json');
    const { findings } = JSON.parse(printed) as {
      findings: { kind: string; file: string; command: string; refund: string }[];
    };
    expect(code).toBe(1);
    expect(findings.map(({ kind }) => kind).toSorted()).toEqual(
      report.findings.map(({ evidence }) => evidence.kind).toSorted(),
    );
    const known = await evidenceOf(stateDir);
    for (const { file, command } of findings) {
      expect(known).toContain(basename(file));
      expect(command).toBe(`autopay dispute open --evidence ${file}`);
    }
    const { printed: shown } = await autopay('dispute', 'find');
    for (const { command } of findings) expect(shown).toContain(command);
    expect(shown).toMatch(/refund +at most 0\.0000\d+ USDC/);
    const [overcharge] = findings.filter(({ kind }) => kind === 'overcharge');
    const opened = await autopay('dispute', 'open', '--evidence', overcharge?.file ?? '', '--yes', '--json');
    expect(opened.code).toBe(0);
    expect(JSON.parse(opened.printed)).toMatchObject({ dispute: { state: 'upheld', refunded: overcharge?.refund } });
  });

  it.each(['duplicate-sequence', 'wrong-running-total', 'unpublished-prices'] as const)(
    'are refunded at once: %s, by the file that the wallet wrote',
    async (kind) => {
      const written = (await evidenceOf(stateDir)).filter((file) => file.startsWith(kind));
      expect(written).not.toEqual([]);
      for (const name of written) {
        const evidence = await readEvidenceFile(join(stateDir, 'evidence', name));
        const { payableNow, penalty, bond } = await expectOutcome(voter.deployment, evidence);
        const dispute = await submit(evidence);
        expect(bond).toBe(0n);
        expect(payableNow).toBeGreaterThan(0n);
        expect(dispute).toMatchObject({ state: 'upheld', refunded: payableNow, burned: penalty });
      }
    },
  );

  it('are refunded once', async () => {
    const again = await search(stateDir);
    expect(again.findings.map(({ evidence }) => evidence.kind)).not.toContain('overcharge');
    expect(again.open.join('\n')).toContain('this was disputed before, and counts once');
  });
});

/** Runs `autopay …` on the stack; what it printed. */
async function autopay(...args: string[]): Promise<{ code: number | null; printed: string }> {
  const { AUTOPAY_WALLET_KEY: _, AUTOPAY_WALLET_FILE: __, AUTOPAY_WALLET_PASSWORD: ___, ...env } = process.env;
  const cli = join(import.meta.dirname, '../../cli/main.ts');
  const options = [...args, '--data-dir', stack.stack.dataDir];
  const child = spawn(process.execPath, [cli, ...options], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>]);
  return { code, printed };
}

/** Looks through a wallet's record as `autopay dispute find` does, with a log if there is one. */
async function search(
  state: string,
  blocks = new ForgedBlocks(),
  only: (stored: StoredReceipt) => boolean = () => true,
) {
  const { deployment, rpcUrl } = voter;
  const { receipts } = await openReceiptStore(state).readFrom(0);
  const { models, priceRoot } = await openWallet({ ...stack.payFetchOptions, stateDir: state }).catalogue();
  const rows = [...models.values()].flatMap((model) => model.rows);
  const readAt = await deployment.now();
  const log = await readAnchoredLog({
    client: connect(rpcUrl),
    ...{ auditLog: deployment.contracts.auditLog, deployedAtBlock: deployment.deployedAtBlock, blockSource: blocks },
    channels: new Set(receipts.map(({ channelId }) => channelId)),
    leaves: leavesOf(receipts),
  });
  const prices = createPriceFacts(deployment, new Map([[priceRoot, rows]]));
  return findFraud({ deployment, receipts: receipts.filter(only), channels: [], prices, log: { ...log, readAt } });
}

async function submit(evidence: Evidence, privateKey = voter.walletKey): Promise<DisputeStatus> {
  const { deployment } = voter;
  const sender = openSender(deployment, privateKey);
  const token = deployment.tokens['USDC']?.address ?? '0x';
  const cost = await readDisputeCost(deployment, { evidence, token });
  const { disputeId } = await openDispute(deployment, sender, { evidence, cost });
  return readDispute(disputeId);
}

async function readDispute(id: bigint): Promise<DisputeStatus> {
  const [dispute] = await readDisputes(voter.deployment, id);
  if (!dispute) throw new Error(`there is no dispute ${id}`);
  return dispute;
}

/** Lets the time go by that a relay may take to log what it charged, by the clock, or collected, by the chain, until now. */
async function passMergeDelay(): Promise<void> {
  const behind = Math.ceil(Date.now() / 1_000) - (await voter.deployment.now());
  await advanceTime(voter.rpcUrl, MERGE_DELAY_SECONDS + Math.max(behind, 0) + 1);
}

/** Lets the relay's time to answer go by, and ends the challenge. */
async function uphold({ id }: DisputeStatus): Promise<DisputeStatus> {
  await advanceTime(voter.rpcUrl, ANSWER_SECONDS);
  await endDispute(voter.deployment, voter.sender, {
    ...{ functionName: 'upholdChallenge', disputeId: id, unit: { symbol: 'USDC', decimals: 6 } },
  });
  return readDispute(id);
}

describe('a log', () => {
  let state: string;
  let payer: BuyerWallet;
  let held: StoredReceipt[];
  /** The log as it should be: four calls of one channel. */
  const entries: Uint8Array[] = [];
  let snapshot: unknown;
  const noWarnings: string[] = [];

  beforeAll(async () => {
    state = join(folder, 'honest');
    payer = await fundWallet();
    const client = openClient(stack.stack.relayUrl, state, payer.privateKey);
    warnings = noWarnings;
    for (let call = 0; call < 4; call += 1) await ask(client);
    held = await openReceiptStore(state).list();
    entries.push(...held.map(({ receipt }) => decodeSignedReceipt(receipt).entry));
    await stack.runJob('collect');
    snapshot = await rpc(voter.rpcUrl, 'evm_snapshot');
  }, 120_000);
  // A relay does not come up beside anchors that are not of its books.
  afterAll(() => rpc(voter.rpcUrl, 'evm_revert', [snapshot]));

  /** Each lie begins on the same chain: without an anchor. */
  async function startAnew(): Promise<ForgedBlocks> {
    await rpc(voter.rpcUrl, 'evm_revert', [snapshot]);
    snapshot = await rpc(voter.rpcUrl, 'evm_snapshot');
    return new ForgedBlocks();
  }

  async function anchorLog(blocks: ForgedBlocks, log: readonly Uint8Array[], change: { root?: Hex; cid?: CID } = {}) {
    await anchorFalsely(voter.deployment, { relayKey, anchor: { ...forgeLog(blocks, log), ...change } });
  }

  function verify(
    call: number,
    blocks: Pick<ForgedBlocks, 'get'>,
    more: Partial<VerifyCallOptions> = {},
  ): Promise<CallVerification> {
    const stored = held[call];
    if (!stored) throw new Error(`there is no call ${call}`);
    const { chainId, contracts, deployedAtBlock, rpcUrl } = stack.stack;
    return verifyCall({
      ...{ callId: stored.callId, chainId, contracts, deployedAtBlock, rpcUrl, blockSource: blocks },
      signedReceipt: decodeSignedReceipt(stored.receipt),
      receipts: held.map(({ receipt }) => decodeSignedReceipt(receipt)),
      ...more,
    });
  }

  /** What a verification found fault with. */
  async function faultsOf(verification: Promise<CallVerification>): Promise<string> {
    const { ok, claims } = await verification;
    expect(ok).toBe(false);
    return claims
      .filter((claim) => claim.ok !== true)
      .map(({ name, detail }) => `${name}: ${detail}`)
      .join('\n');
  }

  const refusalOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'it was not refused',
      (error: Error) => error.message,
    );
  const reasonsOf = ({ findings }: FraudReport) => findings.map(({ reason }) => reason).join('\n');
  const only = ({ findings }: FraudReport): Evidence => {
    expect(findings).toHaveLength(1);
    const [finding] = findings;
    if (!finding) throw new Error('nothing was found');
    return finding.evidence;
  };
  const amountOf = (call: number): bigint => BigInt(held[call]?.amount ?? 0);
  const at = (call: number): Uint8Array => entries[call] ?? new Uint8Array();

  it('that is honest has no fault, at once and when its time is over', async () => {
    const blocks = await startAnew();
    expect(noWarnings).toEqual([]);
    expect((await search(state, blocks)).findings).toEqual([]);
    await anchorLog(blocks, entries.slice(0, 2));
    await anchorLog(blocks, entries);
    const { ok, claims } = await verify(1, blocks);
    expect(claims.filter((claim) => claim.ok === false)).toEqual([]);
    expect(ok).toBe(true);
    await passMergeDelay();
    expect(await search(state, blocks)).toMatchObject({ findings: [], holes: [], open: [], judged: { receipts: 4 } });
  });

  it('that lacks an entry', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries.toSpliced(1, 1));
    book.expectCaught('omitted', '`autopay audit verify`', await faultsOf(verify(1, blocks)));
    // It has its time.
    expect((await search(state, blocks)).findings).toEqual([]);
    await passMergeDelay();
    const report = await search(state, blocks);
    expect(report.open).toEqual([]);
    book.expectCaught('omitted', '`autopay dispute find`', reasonsOf(report));
    const challenge = await submit(only(report), payer.privateKey);
    expect(challenge).toMatchObject({ kind: 'not-in-log', state: 'open' });
    expect(await uphold(challenge)).toMatchObject({
      state: 'upheld',
      refunded: amountOf(1),
      bondReturn: { isPaid: true },
    });
  });

  it('in which an entry was changed', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries.slice(0, 3));
    const changed = encodeReceipt({ ...decodeReceipt(at(1)), provider: 'somebody-else' });
    await anchorLog(blocks, entries.with(1, changed));
    book.expectCaught('rewritten', '`autopay audit verify`', await faultsOf(verify(1, blocks)));
    const report = await search(state, blocks);
    book.expectCaught('rewritten', '`autopay dispute find`', reasonsOf(report));
    expect(await submit(only(report), payer.privateKey)).toMatchObject({ state: 'upheld', refunded: amountOf(1) });
  });

  it('whose entries changed places', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries.slice(0, 3));
    const { remember } = await verify(0, blocks);
    await anchorLog(blocks, [at(1), at(0), at(2), at(3)]);
    const seen = remember ?? {};
    book.expectCaught('reordered', '`autopay audit verify`', await faultsOf(verify(0, blocks, { seen })));
    const report = await search(state, blocks);
    book.expectCaught('reordered', '`autopay dispute find`', reasonsOf(report));
    expect(await submit(only(report), payer.privateKey)).toMatchObject({ state: 'upheld', refunded: amountOf(0) });
  });

  it('whose blocks lead elsewhere', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries, { root: otherBytes });
    book.expectCaught('other-root', '`autopay audit verify`', await faultsOf(verify(0, blocks)));
    const refusal = await refusalOf(search(state, blocks));
    book.expectCaught('other-root', '`autopay dispute find`', refusal);
  });

  it('whose blocks have other bytes', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries);
    const other = new ForgedBlocks();
    const { cid } = forgeLog(other, entries.slice(0, 3));
    const source = { get: () => other.get(cid) };
    book.expectCaught('other-content', '`autopay audit verify`', await faultsOf(verify(0, source)));
  });

  it('whose blocks nobody has', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries, { cid: cidOfDigest(fromHex(otherBytes)) });
    book.expectCaught('withheld-blocks', '`autopay audit verify`', await faultsOf(verify(0, blocks)));
    const refusal = await refusalOf(search(state, blocks));
    book.expectCaught('withheld-blocks', '`autopay dispute find`', refusal);
  });

  it('that is not longer than the one before is not anchored', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries);
    for (const log of [[at(1), at(0), at(2), at(3)], entries.slice(0, 2)]) {
      const refusal = await refusalOf(anchorLog(blocks, log));
      book.expectCaught('anchored-twice', 'the contract', refusal);
    }
  });

  it('is taken from a channel beyond its receipts', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries);
    const last = decodeReceipt(at(3));
    const beyond = 25n;
    await settleFalsely(last.channelId, last.runningTotal + beyond);
    // It may still log what it took.
    expect((await verify(3, blocks)).claims).toContainEqual(
      expect.objectContaining({ name: 'total_collected', ok: null }),
    );
    const early = await search(state, blocks);
    expect([early.findings, early.open.join()]).toEqual([[], expect.stringContaining('seconds to log what it took')]);
    await passMergeDelay();
    book.expectCaught('settled-beyond', '`autopay audit verify`', await faultsOf(verify(3, blocks)));
    const report = await search(state, blocks);
    book.expectCaught('settled-beyond', '`autopay dispute find`', reasonsOf(report));
    expect(await uphold(await submit(only(report), payer.privateKey))).toMatchObject({
      state: 'upheld',
      refunded: beyond,
    });
  });

  it('that the wallet does not know shows as a hole', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries);
    await passMergeDelay();
    const invented = held[2]?.callId;
    const { findings, holes } = await search(state, blocks, ({ callId }) => callId !== invented);
    // It may be a receipt that was lost: nobody is accused.
    expect(findings).toEqual([]);
    expect(holes).toMatchObject([{ from: 3, to: 3, charged: amountOf(2) }]);
    book.expectCaught('invented-call', '`autopay dispute find`', holes.map(describeHole).join());
  });

  it('accounts for what was taken, where the last receipts were lost', async () => {
    const blocks = await startAnew();
    await anchorLog(blocks, entries);
    await passMergeDelay();
    const { findings, open } = await search(state, blocks, ({ sequence }) => sequence < 3);
    expect(findings).toEqual([]);
    expect(open).toEqual([expect.stringContaining('accounts for it')]);
  });

  /** Takes more from a channel than was charged, by a voucher that the wallet signed for calls that cost less. */
  async function settleFalsely(channelId: Hex, cumulativeAmount: bigint): Promise<void> {
    const { paymentChannels, autoPayLLM } = voter.deployment.contracts;
    const scope = { chainId: stack.stack.chainId, verifyingContract: paymentChannels };
    const privateKey = fromHex(payer.privateKey, 32);
    const { signature } = signVoucher({ channelId, cumulativeAmount }, { scope, privateKey });
    const args = [channelId, cumulativeAmount, signature] as const;
    const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'settleChannel', args });
    await openSender(voter.deployment, relayKey).send('Collecting', { to: autoPayLLM, data });
  }
});

describe('a relay that comes up on an old copy of its books', () => {
  it('forgets what it charged, and gives a sequence number again', async () => {
    const state = join(folder, 'rolled-back');
    const client = openClient(stack.stack.relayUrl, state, (await fundWallet()).privateKey);
    const copy = join(folder, 'copy');
    const { dataDir } = stack.stack;
    const isLedger = (path: string) => path === dataDir || path.includes('ledger.sqlite');
    await ask(client);
    await stack.stopRelay();
    await cp(dataDir, copy, { recursive: true, filter: isLedger });
    const unanchored = await rpc(voter.rpcUrl, 'evm_snapshot');
    await stack.startRelay();
    warnings = [];
    await ask(client);
    // A restart alone is none of it.
    expect(warnings).toEqual([]);
    await stack.stopRelay();
    for (const name of (await readdir(dataDir)).filter(isLedger)) await rm(join(dataDir, name));
    await cp(copy, dataDir, { recursive: true });
    // Beside an anchor of the newer books it would not come up: this one had made none yet.
    await rpc(voter.rpcUrl, 'evm_revert', [unanchored]);
    await stack.startRelay();
    await ask(client);
    book.expectCaught('rolled-back-books', 'the wallet, at the call', warnings.join('\n'));
  });
});

it('shows every lie of the table', () => {
  expect(book.missing()).toEqual([]);
});
