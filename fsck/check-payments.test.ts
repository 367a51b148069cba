import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFunctionData, erc20Abi } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { paymentIdOf } from '../protocol/payments/payment-id.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { createCallId, parseCallId } from '../protocol/receipt/call-id.ts';
import { runAnchoring } from '../server/audit/run-anchoring.ts';
import { runCollection } from '../server/collection/run-collection.ts';
import { chargeCall, localBudget } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import { chargeDirectly, payDirectly, settleDirectly, type DirectCall } from '../test/support/pay-directly.ts';
import { sendAs } from '../test/support/send-as.ts';
import { amountBlob, failuresAfter as failuresIn, pricesIn, writeCheckerConfig } from '../test/support/tamper-books.ts';
import { checkBooks } from './check-books.ts';
import { readPriceRows } from './read-prices.ts';
import { readSettings } from './read-settings.ts';

let stack: ChainStack;
let relay: TestRelay;
let copy: string;
let priceRoot: Hex;
const unit = 800_000_000_000_000n;

function call(amount: bigint, maximum: bigint, more: Partial<DirectCall> = {}): DirectCall {
  return { stack, relay, amount, maximum, priceRoot, ...more };
}

/** A call of so many tokens, paid from the payer's allowance of AGPT, settled. */
async function payByAllowance(tokens: number): Promise<void> {
  const amount = BigInt(tokens) * 10n ** 12n;
  const { agpt, autoPayLLM } = stack.contracts;
  const approve = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [autoPayLLM, 10n * unit] });
  await sendAs(stack.chain, { from: stack.payer, to: agpt, data: approve });
  const nonce = toHex(randomBytes(32));
  const paymentId = paymentIdOf({ kind: 'allowance', contract: autoPayLLM, payer: stack.payer, nonce });
  const payment = { paymentId, kind: 'allowance', payer: stack.payer, token: agpt, maximum: 10n * unit } as const;
  const { receipt } = await chargeCall({
    ...{ ledger: relay.ledger, channel: null, amount, token: agpt, tokens, rate: 10n ** 18n, priceRoot },
    payment: { ...payment, payload: '{}', validBefore: null, available: 10n * unit },
  });
  const callId = toHex(parseCallId(receipt.callId));
  const args = [stack.payer, 'simulated', 'sim-small', (amount + unit - 1n) / unit, callId] as const;
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'executeLLMCall', args });
  const { transactionHash } = await relay.queue.send({ purpose: `pay:${paymentId}`, to: autoPayLLM, data });
  await relay.ledger.settlePayment({ paymentId, transactionHash });
}

beforeAll(async () => {
  stack = await deployStack({
    priceRootOf: (tokens) => rootOfPrices(readPriceRows(pricesIn(tokens)).rows),
  });
  relay = await openTestRelay(stack);
  await writeCheckerConfig(stack, relay.dataDir);
  priceRoot = rootOfPrices((await readSettings(relay.dataDir)).rows);
  copy = await mkdtemp(join(tmpdir(), 'autopay-fsck-'));
  // Booked: 40 and 7, of which 60 go back. Settled and not booked: 20 of 90. Due: 6 of 30. Lost: 4 of 10. And one for nothing.
  await payDirectly(call(40n, 100n));
  await payDirectly(call(7n, 100n, { kind: 'permit2-upto' }));
  await runCollection(relay.deps());
  await payDirectly(call(20n, 90n));
  await chargeDirectly(call(6n, 30n));
  await chargeDirectly(call(0n, 30n));
  const { paymentId } = await chargeDirectly(call(4n, 10n, { walletKey: randomBytes(32) }));
  await relay.ledger.losePayment({ paymentId, reason: 'the wallet is empty' });
  // Two billing units, of which the receipt says one and a bit.
  await payByAllowance(801);
  const channel = await stack.openChannel({ deposit: 100n });
  await relay.addChannel(channel, 100n);
  await chargeCall({
    ...{ ledger: relay.ledger, channel, amount: 3n, cumulativeAmount: 50n, token: stack.contracts.usdc, priceRoot },
    scopes: [{ id: 'key:a', window: 0, limit: 10n, endsAtSeconds: null }],
  });
  await runAnchoring(relay.deps());
});
afterAll(async () => {
  await relay?.close();
  await stack?.stop();
  await rm(copy, { recursive: true, force: true });
});

const failuresAfter = (sql: string, offline = false): Promise<string[]> =>
  failuresIn({ sql }, { dataDir: relay.dataDir, into: copy, offline });

describe('checkBooks, of direct payments', () => {
  it('finds that the books agree with the chain, and where every charge is', async () => {
    const report = await checkBooks({ dataDir: relay.dataDir });
    expect(report.claims.filter((claim) => !claim.ok)).toEqual([]);
    const details = report.claims.map(({ detail }) => detail).join('\n');
    expect(details).toContain(`80 of ${stack.contracts.usdc} (47 booked, 29 not yet, 4 lost)`);
    const byAllowance = 801n * 10n ** 12n;
    expect(details).toContain(`${byAllowance} of ${stack.contracts.agpt} (${byAllowance} booked, 0 not yet, 0 lost)`);
    expect(details).toContain(`47 of ${stack.contracts.usdc} (60 given back, 90 waits)`);
    expect(details).toContain('1 calls were paid from allowances');
  });

  it('checks a payment under way', async () => {
    const now = Date.now();
    const callId = createCallId();
    const paymentId = toHex(randomBytes(32));
    const token = stack.contracts.usdc;
    const terms = { paymentId, kind: 'eip3009', payer: stack.payer, token, maximum: 500n, payload: '{}' } as const;
    const outcome = await relay.ledger.reserve({
      ...{
        callId,
        token,
        quote: 500n,
        model: 'sim-small',
        budget: localBudget(now),
        keyId: null,
        idempotency: null,
        maxUnsettled: null,
      },
      funds: { kind: 'direct', payment: { ...terms, validBefore: null, available: 10n ** 9n } },
      scopes: [{ id: 'key:a', window: 0, limit: 1_000n, endsAtSeconds: null }],
      ...{ admittedAtMs: now, leaseUntilMs: now + 60_000 },
    });
    if (!outcome.ok) throw new Error(outcome.refusal.code);
    await outcome.durable;
    expect(await failuresAfter('')).toEqual([]);
    const reserved = `UPDATE direct_payments SET state = 'due' WHERE state = 'reserved'`;
    expect(await failuresAfter(reserved, true)).toEqual(['payments_add_up']);
    const spent = `UPDATE scope_spending SET reserved = ${amountBlob(499)}`;
    expect(await failuresAfter(spent, true)).toEqual(['scopes_add_up']);
    await relay.ledger.release({ callId, reason: 'client_gone', attempts: [] });
    expect(await failuresAfter('')).toEqual([]);
  });

  it.each([
    ['a charge beside its receipt', `charge = ${amountBlob(39)} WHERE charge = ${amountBlob(40)}`, ['totals_add_up']],
    ['less taken than a fixed price', `captured = ${amountBlob(40)} WHERE charge = ${amountBlob(40)}`, []],
    ['more taken than was signed', `maximum = ${amountBlob(6)} WHERE charge = ${amountBlob(7)}`, []],
    ['another payer', `payer = zeroblob(20) WHERE charge = ${amountBlob(20)}`, []],
    ['another token', `token = zeroblob(20) WHERE charge = ${amountBlob(20)}`, ['totals_add_up']],
    ['a settlement without a transaction', `transaction_hash = NULL WHERE charge = ${amountBlob(20)}`, []],
    ['a due payment that was charged nothing', `state = 'due' WHERE charge = ${amountBlob(0)}`, []],
    ['a charged payment that says it was released', `state = 'released' WHERE state = 'lost'`, ['totals_add_up']],
    ['a booking of what was not taken', `collection_id = 1 WHERE state = 'due'`, []],
    ['a payment of another call', `call_id = zeroblob(16) WHERE state = 'due'`, []],
    ['a kind that takes less', `kind = 'permit2-upto' WHERE charge = ${amountBlob(40)}`, []],
  ])('finds %s', async (_name, change, also) => {
    const failures = await failuresAfter(`UPDATE direct_payments SET ${change}`, true);
    expect(failures).toEqual(expect.arrayContaining(['payments_add_up', ...also]));
  });

  it.each([
    ['a deleted payment', `DELETE FROM direct_payments WHERE state = 'lost'`, ['payments_add_up', 'totals_add_up']],
    [
      'a booked charge that waits again',
      `UPDATE direct_payments SET collection_id = 99 WHERE collection_id = 1`,
      ['payments_add_up'],
    ],
    ['a scope that spent less', `UPDATE scope_spending SET charged = ${amountBlob(2)}`, ['scopes_add_up']],
    ['a scope that is gone', 'DELETE FROM scope_spending', ['scopes_add_up']],
    ['a call that counts in no scope', 'UPDATE calls SET scopes = NULL', ['scopes_add_up']],
    ['a charge of another payer', 'UPDATE charges SET payer = zeroblob(20) WHERE log_index = 0', ['receipts_decode']],
    ['a charge of another key', `UPDATE charges SET key_id = 'k' WHERE log_index = 0`, ['charges_within_reservations']],
  ])('finds %s', async (_name, sql, expected) => {
    expect(await failuresAfter(sql, true)).toEqual(expect.arrayContaining(expected));
  });

  it.each([
    [
      'a settlement that never happened',
      `UPDATE direct_payments SET state = 'settled', transaction_hash = zeroblob(32) WHERE state = 'due'`,
      ['bookings_match'],
    ],
    ['a payment that was hidden', `DELETE FROM direct_payments WHERE charge = ${amountBlob(20)}`, ['bookings_match']],
    [
      'a refund that was never booked',
      `UPDATE direct_payments SET collection_id = 1 WHERE charge = ${amountBlob(20)}`,
      ['bookings_match'],
    ],
    [
      'an allowance that was not taken',
      `UPDATE direct_payments SET call_id = zeroblob(16) WHERE kind = 'allowance'`,
      ['allowances_match'],
    ],
    [
      'an allowance of which less was taken',
      `UPDATE direct_payments SET captured = ${amountBlob(1)} WHERE kind = 'allowance'`,
      ['allowances_match'],
    ],
    [
      'an allowance of someone else',
      `UPDATE direct_payments SET payer = zeroblob(20) WHERE kind = 'allowance'`,
      ['allowances_match'],
    ],
  ])('finds %s by the chain', async (_name, sql, expected) => {
    expect(await failuresAfter(sql)).toEqual(expect.arrayContaining(expected));
  });

  it('agrees where the money of a forgiven payment comes after all', async () => {
    const late = call(2n, 5n);
    const payment = await chargeDirectly(late);
    const { paymentId } = payment;
    await relay.ledger.losePayment({ paymentId, reason: 'the wallet is empty' });
    await relay.ledger.forgivePayment(paymentId);
    await runAnchoring(relay.deps());
    expect(await failuresAfter('')).toEqual([]);
    await settleDirectly(late, payment);
    expect(await failuresAfter('')).toEqual([]);
    await runCollection(relay.deps());
    expect((await relay.ledger.getPayment(paymentId))?.state).toBe('settled');
    const { claims } = await checkBooks({ dataDir: relay.dataDir });
    expect(claims.filter((claim) => !claim.ok)).toEqual([]);
    // 20 of 90 were settled before, and are booked with it.
    expect(claims.map(({ detail }) => detail).join('\n')).toContain('(133 given back, 0 waits)');
  });
});
