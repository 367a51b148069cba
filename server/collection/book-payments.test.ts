import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { privateKeyToAccount } from 'viem/accounts';
import { encodeFunctionData } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import { chargeDirectly, payDirectly, settleDirectly } from '../../test/support/pay-directly.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { maxRefundsPerBatch } from './book-collection.ts';
import { runCollection } from './run-collection.ts';

let stack: ChainStack;
let relay: TestRelay;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
});
afterEach(() => relay.close());

function balanceOf(wallet: Hex): Promise<bigint> {
  const token = { address: stack.contracts.usdc, abi: fiatTokenAbi } as const;
  return relay.client.readContract({ ...token, functionName: 'balanceOf', args: [wallet] });
}

function unbooked(): Promise<bigint> {
  const contract = { address: stack.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  return relay.client.readContract({ ...contract, functionName: 'unbooked', args: [stack.contracts.usdc] });
}

const pay = (amount: bigint, maximum: bigint) => payDirectly({ stack, relay, amount, maximum });

describe('a collection run books direct payments', () => {
  it('for what their calls cost, and gives the rest back to the wallet, once', async () => {
    const before = await balanceOf(stack.payer);
    await pay(300n, 1_000n);
    await pay(1n, 500n);
    await payDirectly({ stack, relay, amount: 70n, maximum: 1_000n, kind: 'permit2-upto' });
    expect(await balanceOf(stack.payer)).toBe(before - 1_570n);
    const { booked } = await runCollection(relay.deps());
    expect(booked).toMatchObject([{ amount: '371', refunded: '1199' }]);
    expect(await balanceOf(stack.payer)).toBe(before - 371n);
    expect(await unbooked()).toBe(0n);
    expect(await runCollection(relay.deps())).toMatchObject({ nothingToDo: true });
    expect(await balanceOf(stack.payer)).toBe(before - 371n);
  });

  it('leaves what is not settled alone', async () => {
    const call = { stack, relay, amount: 5n, maximum: 50n };
    const payment = await chargeDirectly(call);
    expect(await runCollection(relay.deps())).toMatchObject({ nothingToDo: true });
    await settleDirectly(call, payment);
    expect((await runCollection(relay.deps())).booked).toMatchObject([{ amount: '5', refunded: '45' }]);
  });

  it('once, whichever step a crash hits', async () => {
    await pay(1n, 2n);
    const counting = createFaultInjector();
    await runCollection(relay.deps(counting));
    expect(counting.steps).toEqual(
      expect.arrayContaining(['openPaymentBooking', 'sendRawTransaction', 'finishBooking']),
    );
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const where = `${moment} step ${at}, ${counting.steps[at]}`;
        await pay(10n, 100n);
        const before = await balanceOf(stack.payer);
        const injector = createFaultInjector({ at, moment });
        await expect(runCollection(relay.deps(injector)), where).rejects.toThrow();
        await runCollection(relay.deps());
        expect(await balanceOf(stack.payer), where).toBe(before + 90n);
        expect(await unbooked(), where).toBe(0n);
        expect(await relay.ledger.listPendingBookings(), where).toEqual([]);
      }
    }
  }, 120_000);

  it('gives back to more wallets than one transaction takes', async () => {
    const wallets = Array.from({ length: maxRefundsPerBatch + 2 }, () => randomBytes(32));
    const addresses = wallets.map((key) => privateKeyToAccount(toHex(key)).address);
    for (const wallet of addresses) {
      const data = encodeFunctionData({ abi: fiatTokenAbi, functionName: 'transfer', args: [wallet, 100n] });
      await sendAs(stack.chain, { from: stack.payer, to: stack.contracts.usdc, data });
    }
    for (const walletKey of wallets) await payDirectly({ stack, relay, amount: 1n, maximum: 100n, walletKey });
    // Killed again and again, until the second of the two transactions that it takes is on its way.
    let sent = 0;
    for (let at = 0; sent < 2; at += 1) {
      const injector = createFaultInjector({ at, moment: 'after' });
      await expect(runCollection(relay.deps(injector)), `step ${at}`).rejects.toThrow();
      sent += injector.steps.filter((step) => step === 'sendRawTransaction').length;
    }
    const { booked } = await runCollection(relay.deps());
    expect(booked.map(({ amount, refunded }) => [amount, refunded])).toEqual([
      ['66', '6336'],
      ['0', '198'],
    ]);
    for (const wallet of addresses) expect(await balanceOf(wallet)).toBe(99n);
    expect(await unbooked()).toBe(0n);
  }, 120_000);
});

describe('where the bond does not cover the spends', () => {
  it('wallets get their refunds all the same, and the rest is booked when it does', async () => {
    const contract = { address: stack.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
    const [bond, unreleased] = await Promise.all([
      relay.client.readContract({ ...contract, functionName: 'bondOf', args: [stack.contracts.usdc] }),
      relay.client.readContract({ ...contract, functionName: 'unreleased', args: [stack.contracts.usdc] }),
    ]);
    const room = bond.amount - unreleased;
    await pay(room - 1n, room - 1n);
    await runCollection(relay.deps());
    expect(await unbooked()).toBe(0n);
    await pay(5n, 50n);
    const before = await balanceOf(stack.payer);
    const result = await runCollection(relay.deps());
    expect(result).toMatchObject({ booked: [], postponed: [{ bookings: 1, missingBond: '4' }] });
    expect(await balanceOf(stack.payer)).toBe(before + 45n);
    await runCollection(relay.deps());
    expect(await balanceOf(stack.payer)).toBe(before + 45n);
    expect(await unbooked()).toBe(5n);
  });
});
