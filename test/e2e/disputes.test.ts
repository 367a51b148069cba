import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireReceipt, toSignedReceiptStruct } from '../../client/disputes/build-evidence.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { advanceTime } from '../../scripts/demo/move-time.ts';
import { openVoter, type Voter } from '../../scripts/demo/open-voter.ts';
import { runJob } from '../../scripts/demo/run-job.ts';
import { signFalsely } from '../../scripts/demo/sign-falsely.ts';
import { readMoney, type Money } from '../../scripts/demo/watch-money.ts';
import { startStack, type RunningStack } from '../../scripts/stack.ts';
import { startChain, usesAnvil, type LocalChain } from '../support/start-chain.ts';

const root = join(import.meta.dirname, '../..');
/** Local disputes: see ignition/parameters/local.json and IBillingDisputes. */
const MERGE_DELAY_SECONDS = 1_800;
const ANSWER_SECONDS = 86_400;
const RULING_SECONDS = 14 * 86_400;
const BOND = 1_000_000n;
const PENALTY = 1_000_000n;

let folder: string;
let anvil: LocalChain | undefined;
let running: RunningStack;
let voter: Voter;
/** Of the calls, in their order. */
const callIds: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-disputes-'));
  anvil = usesAnvil ? await startChain() : undefined;
  running = await startStack({
    dataDir: join(folder, 'stack'),
    ...(anvil && { rpcUrl: anvil.rpcUrl }),
    config: {
      collection: { intervalSeconds: 600 },
      audit: { intervalSeconds: 86_400 },
      disputes: { intervalSeconds: 1 },
    },
  });
  voter = await openVoter(running.stack);
  for (const isAnchored of [true, true, false, false]) {
    const { json } = await autopay('call', 'Say hello.', '--model', 'sim-large', '--max-tokens', '50');
    callIds.push(String(json['callId']));
    if (isAnchored) await runJob(running.stack, 'anchor');
  }
  await runJob(running.stack, 'collect');
}, 180_000);
afterAll(async () => {
  await running.stop();
  await anvil?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs `autopay … --json` against the stack; what it printed, parsed. */
async function autopay(...args: string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
  const { AUTOPAY_WALLET_KEY: _, AUTOPAY_WALLET_FILE: __, AUTOPAY_WALLET_PASSWORD: ___, ...env } = process.env;
  const cli = [join(root, 'cli', 'main.ts'), ...args, '--json', '--data-dir', running.stack.dataDir];
  const child = spawn(process.execPath, cli, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}

/** Does something that must end with 0 and have this dispute in its answer; what it moved, other than nothing. */
async function move(args: string[], dispute: object): Promise<Partial<Money>> {
  const before = await readMoney(voter.deployment, voter.sender.address);
  const { code, json } = await autopay(...args, '--yes');
  expect([code, json]).toMatchObject([0, { dispute }]);
  return changeSince(before);
}

async function changeSince(before: Money): Promise<Partial<Money>> {
  const after = await readMoney(voter.deployment, voter.sender.address);
  const changes = Object.entries(after).map(([name, amount]) => [name, amount - before[name as keyof Money]] as const);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0n));
}

/** Writes an evidence file; its path. */
async function writeEvidence(evidence: object): Promise<string> {
  const file = join(folder, 'evidence.json');
  await writeFile(
    file,
    JSON.stringify(evidence, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
  return file;
}

async function receiptOf(call: number) {
  const receipts = openReceiptStore(join(running.stack.dataDir, 'client'));
  const { stored } = await requireReceipt(receipts, callIds[call] ?? '');
  return { stored, receipt: decodeReceipt(decodeSignedReceipt(stored.receipt).entry) };
}

async function untilAnswered(id: string): Promise<unknown> {
  for (let waited = 0; waited < 150; waited += 1) {
    const { json } = await autopay('dispute', 'status', id);
    const [dispute] = json['disputes'] as { state: string }[];
    if (dispute?.state !== 'open') return dispute;
    await sleep(200);
  }
  throw new Error('the relay did not answer');
}

describe('a one-shot dispute', { timeout: 120_000 }, () => {
  it('with evidence that does not contradict itself is refused in words, and costs nothing', async () => {
    const { stored } = await receiptOf(0);
    const one = toSignedReceiptStruct(stored);
    const file = await writeEvidence({ kind: 'duplicate-sequence', one, other: one });
    const before = await readMoney(voter.deployment, voter.sender.address);
    const { code, json } = await autopay('dispute', 'open', '--evidence', file, '--yes');
    const message = expect.stringContaining('what was shown fits together, so there is nothing to refund');
    expect([code, json]).toMatchObject([1, { error: { code: 'transaction_failed', message } }]);
    expect(await changeSince(before)).toEqual({});
  });

  it('with a statement that a stranger signed is refused', async () => {
    const { stored, receipt } = await receiptOf(0);
    const one = toSignedReceiptStruct(stored);
    const [other] = await signFalsely(running.stack, [{ ...receipt, amount: receipt.amount + 1n }]);
    if (!other) throw new Error('nothing was signed');
    // Another time than the one that was signed recovers another signer.
    const forged = { ...other, batch: { ...other.batch, signedAtMs: other.batch.signedAtMs - 1n } };
    const file = await writeEvidence({ kind: 'duplicate-sequence', one, other: forged });
    const { json } = await autopay('dispute', 'open', '--evidence', file, '--yes');
    expect(json).toMatchObject({ error: { message: expect.stringContaining('no receipt key of this relay') } });
  });

  it('pays at once what two receipts for one call prove, and counts once', async () => {
    const { stored, receipt } = await receiptOf(0);
    const refund = receipt.amount + 5n;
    const [other] = await signFalsely(running.stack, [{ ...receipt, amount: refund }]);
    const file = await writeEvidence({ kind: 'duplicate-sequence', one: toSignedReceiptStruct(stored), other });
    const upheld = { id: '1', state: 'upheld', refunded: String(refund), burned: String(PENALTY), bondReturn: null };
    expect(await move(['dispute', 'open', '--evidence', file], upheld)).toEqual({
      payer: refund,
      relayBond: -refund - PENALTY,
      burned: PENALTY,
    });
    const { code, json } = await autopay('dispute', 'open', '--evidence', file, '--yes');
    expect([code, json]).toMatchObject([1, { error: { message: expect.stringContaining('counts once') } }]);
  });
});

describe('a challenge', { timeout: 120_000 }, () => {
  it('signs nothing without leave where nobody can be asked', async () => {
    const { code, json } = await autopay('dispute', 'open', 'not-in-log', callIds[1] ?? '');
    expect([code, json]).toMatchObject([
      2,
      { error: { code: 'invalid_argument', message: expect.stringContaining('Give --yes') } },
    ]);
    expect(await autopay('dispute', 'status', '2')).toMatchObject({
      code: 2,
      json: { error: { message: 'There is no dispute 2; so far there are 1.' } },
    });
  });

  it('comes too early before a receipt must be in the log', async () => {
    const { code, json } = await autopay('dispute', 'open', 'not-in-log', callIds[1] ?? '', '--yes');
    const message = expect.stringMatching(/it is too early; try again from \d{4}-\d\d-\d\dT[\d:]{8}Z on/);
    expect([code, json]).toMatchObject([1, { error: { message } }]);
    const { receipt } = await receiptOf(3);
    const readyAt = Math.ceil(receipt.chargedAtMs / 1_000) + MERGE_DELAY_SECONDS;
    await advanceTime(voter.rpcUrl, readyAt - (await voter.deployment.now()) + 1);
  });

  it('that is false is answered by the running relay, and costs the accuser its bond', async () => {
    const before = await readMoney(voter.deployment, voter.sender.address);
    const opened = { id: '2', kind: 'not-in-log', bond: String(BOND) };
    await move(['dispute', 'open', 'not-in-log', callIds[1] ?? ''], opened);
    const bondReturn = { to: running.stack.contracts.autoPayLLM, isPaid: true };
    expect(await untilAnswered('2')).toMatchObject({ state: 'answered', refunded: '0', burned: '0', bondReturn });
    expect(await changeSince(before)).toEqual({ payer: -BOND, relayBond: BOND });
  });

  it('that is true has no answer, and a day later pays refund and penalty', async () => {
    const { receipt } = await receiptOf(2);
    const held = receipt.amount + PENALTY;
    expect(await move(['dispute', 'open', 'not-in-log', callIds[2] ?? ''], { id: '3', frozen: String(held) })).toEqual({
      payer: -BOND,
      claimantBonds: BOND,
      held,
    });
    const early = await autopay('dispute', 'uphold', '3', '--yes');
    expect(early).toMatchObject({ code: 1, json: { error: { message: expect.stringContaining('it is too early') } } });
    await advanceTime(voter.rpcUrl, ANSWER_SECONDS);
    const bondReturn = { to: voter.sender.address, isPaid: true };
    const upheld = { state: 'upheld', refunded: String(receipt.amount), burned: String(PENALTY), bondReturn };
    expect(await move(['dispute', 'uphold', '3'], upheld)).toEqual({
      payer: BOND + receipt.amount,
      claimantBonds: -BOND,
      held: -held,
      relayBond: -held,
      burned: PENALTY,
    });
    const again = await autopay('dispute', 'uphold', '3', '--yes');
    const message = expect.stringContaining(
      'dispute 3 (not-in-log) is upheld, and this cannot be done with such a one',
    );
    expect(again).toMatchObject({ code: 1, json: { error: { message } } });
  });
});

describe('a metering dispute', { timeout: 120_000 }, () => {
  it('of more than the call cost is refused, in the token', async () => {
    const { receipt } = await receiptOf(3);
    const most = (Number(receipt.amount) / 1e6).toFixed(6).replace(/0+$/, '');
    const { code, json } = await autopay('dispute', 'open', 'metering', callIds[3] ?? '', '--amount', '2.5', '--yes');
    const message = expect.stringContaining(
      `2.5 USDC cannot be claimed; say an amount above zero and at most ${most} USDC`,
    );
    expect([code, json]).toMatchObject([1, { error: { message } }]);
  });

  it('on which nobody rules gives each side its own back', async () => {
    const args = ['dispute', 'open', 'metering', callIds[3] ?? '', '--amount', '0.00001'];
    const opened = await move(args, { id: '4', state: 'open', amount: '10', penalty: '0' });
    expect(opened).toEqual({ payer: -BOND, claimantBonds: BOND, held: 10n });
    await advanceTime(voter.rpcUrl, RULING_SECONDS);
    const expired = { state: 'expired', refunded: '0', bondReturn: { to: voter.sender.address, isPaid: true } };
    expect(await move(['dispute', 'expire', '4'], expired)).toEqual({ payer: BOND, claimantBonds: -BOND, held: -10n });
  });
});
