import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PaymentMethod } from '../../client/choose-method.ts';
import { openWallet, type Wallet, type WalletOptions } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { fundWallet } from '../support/fund-wallet.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

// Which way payFetch pays the real relay, by what the wallet has and what its owner says.
const failing = 'sim-small?fault=status:500';

let stack: TestStack;
let folder: string;
let warnings: string[];

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [failing] });
  folder = await mkdtemp(join(tmpdir(), 'autopay-methods-'));
}, 180_000);
afterAll(async () => {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  // No receipt of this file is anything but right.
  expect(warnings).toEqual([]);
});

const payerOf = (privateKey: Hex) => {
  const { relayUrl, rpcUrl, token } = stack.payer.scope;
  return new X402Payer({ relayUrl, rpcUrl, token, privateKey });
};

/** A new wallet with USDC, and ether only where a test gives it some. */
async function newWallet(options: Partial<WalletOptions> & { ether?: string; usdc?: bigint } = {}): Promise<Wallet> {
  const { ether, usdc = 1_000_000n, ...more } = options;
  const privateKey = await fundWallet(stack, { usdcAtomic: usdc, ...(ether !== undefined && { ether }) });
  warnings = [];
  return openWallet({
    ...{ relayUrl: stack.payFetchOptions.relayUrl, rpcUrl: stack.stack.rpcUrl, privateKey },
    ...{ stateDir: join(folder, privateKey.slice(0, 12)), onWarning: (message) => void warnings.push(message) },
    ...more,
  });
}

const body = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'Hi.' }], max_tokens: 16 };
const clients = new WeakMap<Wallet, OpenAI>();
function clientOf(wallet: Wallet): OpenAI {
  const options = { baseURL: `${wallet.relayUrl}/v1`, apiKey: 'unused', maxRetries: 0 };
  const client = clients.get(wallet) ?? new OpenAI({ ...options, fetch: createPayFetch(wallet) });
  clients.set(wallet, client);
  return client;
}
const ask = (wallet: Wallet, more: { model?: string } = {}) =>
  clientOf(wallet).chat.completions.create({ ...body, ...more });
const stream = async (wallet: Wallet) => {
  let text = '';
  for await (const chunk of await clientOf(wallet).chat.completions.create({ ...body, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  return text;
};
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => expect.fail('it was served'),
    (error: unknown) => error,
  );
const receiptsOf = async (wallet: Wallet) =>
  (await wallet.receipts.list()).map(({ receipt }) => decodeReceipt(decodeSignedReceipt(receipt).entry));
const methodsOf = async (wallet: Wallet) => (await wallet.payments.list()).map(({ method }) => method);
const spentToday = async (wallet: Wallet) => (await wallet.connect()).channels.spentToday();

describe('payFetch chooses', () => {
  it('a new channel, where the wallet has ether and a deposit; later calls use it and ask for nothing', async () => {
    const asked: string[] = [];
    const wallet = await newWallet({
      ether: '0.02',
      deposit: 200_000n,
      fetch: (input, init) => {
        if (init?.method === 'POST')
          asked.push(new Headers(init.headers).get('authorization')?.split(' ')[0] ?? 'nothing');
        return fetch(input, init);
      },
    });
    await ask(wallet);
    await ask(wallet);
    expect(asked).toEqual(['nothing', 'Payment', 'Payment']);
    expect([await methodsOf(wallet), (await receiptsOf(wallet)).map(({ sequence }) => sequence)]).toEqual([[], [1, 2]]);
  });

  it('exact, where the wallet has no ether; what the call did not cost is owed to it, by the receipt', async () => {
    const wallet = await newWallet();
    expect((await ask(wallet)).choices[0]?.message.content).toContain('[simulated]');
    expect(await stream(wallet)).toContain('[simulated]');
    const receipts = await receiptsOf(wallet);
    const payments = await wallet.payments.list();
    expect(payments).toMatchObject([
      { method: 'x402/exact', state: 'settled', evidence: 'autopay-receipt', callId: receipts[0]?.callId },
      // A stream is settled after it has ended.
      { method: 'x402/exact', state: 'unconfirmed', evidence: 'autopay-receipt', callId: receipts[1]?.callId },
    ]);
    expect(receipts.map(({ refundOwed, amount }) => String(refundOwed + amount))).toEqual(
      payments.map(({ amount }) => amount),
    );
    expect(await spentToday(wallet)).toBe(receipts.reduce((sum, { amount }) => sum + amount, 0n));
  });

  it('exact, where the wallet has less than a deposit, and where it knows no chain', async () => {
    const poor = await newWallet({ ether: '0.02', usdc: 50_000n });
    await ask(poor);
    const offline = await newWallet();
    const { rpcUrl, ...withoutChain } = offline.options;
    expect(rpcUrl).toBeDefined();
    await ask(openWallet(withoutChain));
    expect([await methodsOf(poor), await methodsOf(offline)]).toEqual([['x402/exact'], ['x402/exact']]);
  });

  it('upto before a new channel, where Permit2 may take the token already', async () => {
    const wallet = await newWallet({ ether: '0.02' });
    await payerOf(wallet.options.privateKey).approvePermit2();
    await ask(wallet);
    await stream(wallet);
    const receipts = await receiptsOf(wallet);
    expect(receipts.map(({ refundOwed }) => refundOwed)).toEqual([0n, 0n]);
    expect(await wallet.payments.list()).toMatchObject([
      { method: 'x402/upto', state: 'settled', taken: String(receipts[0]?.amount) },
      { method: 'x402/upto', state: 'unconfirmed', taken: String(receipts[1]?.amount) },
    ]);
  });

  it('what its owner says, in that order', async () => {
    const methods: PaymentMethod[] = ['evm/charge', 'x402/upto'];
    const wallet = await newWallet({ methods });
    await ask(wallet);
    await stream(wallet);
    expect(await methodsOf(wallet)).toEqual(['evm/charge', 'evm/charge']);
    expect((await wallet.payments.list())[0]).toMatchObject({
      state: 'settled',
      transaction: expect.stringMatching(/^0x/),
    });
    const uptoOnly = await newWallet({ methods: ['x402/upto'] });
    expect(await refusal(ask(uptoOnly))).toMatchObject({ status: 402, code: 'no_usable_method' });
    expect(await methodsOf(uptoOnly)).toEqual([]);
    // It cannot be opened without ether, and that is what the owner is told.
    const channelOnly = await newWallet({ methods: ['evm/session'] });
    expect(await refusal(ask(channelOnly))).toMatchObject({
      code: expect.stringMatching(/transaction_failed|chain_unavailable/),
    });
    expect(await methodsOf(channelOnly)).toEqual([]);
  });
});

describe('a payment of one call', () => {
  it('is for no more than the quote, and pays for long requests too', async () => {
    const wallet = await newWallet();
    const content = 'x'.repeat(40_000);
    await clientOf(wallet).chat.completions.create({ ...body, messages: [{ role: 'user', content }] });
    const [receipt] = await receiptsOf(wallet);
    const [payment] = await wallet.payments.list();
    const bytes = BigInt(JSON.stringify({ ...body, messages: [{ role: 'user', content }] }).length) + 64n;
    expect(BigInt(payment?.amount ?? 0)).toBe((bytes * 150_000n + 16n * 600_000n + 999_999n) / 1_000_000n);
    expect(receipt?.refundOwed).toBeGreaterThan(0n);
  });

  it.each([
    ['perCall', { limits: { perCall: '0.00001' } }, 'wallet_limit_exceeded'],
    ['perDay', { limits: { perDay: '0.00001' } }, 'wallet_limit_exceeded'],
    ['maxCallAmount', { maxCallAmount: 10n }, 'spending_limit_reached'],
  ])('obeys the limit %s', async (_, more, code) => {
    const wallet = await newWallet(more);
    expect(await refusal(ask(wallet))).toMatchObject({ status: 402, code });
    expect(await wallet.payments.list()).toEqual([]);
  });

  it('whose answer is lost is sent again with the same key, and charged once', async () => {
    const sent: string[] = [];
    const wallet = await newWallet({
      async fetch(input, init) {
        const response = await fetch(input, init);
        const headers = new Headers(init?.headers);
        const payment = headers.get('payment-signature');
        if (payment === null) return response;
        sent.push(`${headers.get('idempotency-key')} ${payment}`);
        if (sent.length > 1) return response;
        await response.arrayBuffer();
        throw new TypeError('fetch failed');
      },
    });
    await ask(wallet);
    expect([sent.length, new Set(sent).size]).toEqual([2, 1]);
    expect(await wallet.receipts.list()).toHaveLength(1);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'settled' }]);
  });

  it('for a call that fails costs nothing, but stays counted today: the relay has what was signed', async () => {
    const wallet = await newWallet();
    const before = await payerOf(wallet.options.privateKey).balance();
    expect(await refusal(ask(wallet, { model: failing }))).toMatchObject({ status: 500 });
    expect(await wallet.payments.list()).toMatchObject([{ state: 'refused', taken: null }]);
    const [signed] = await wallet.payments.list();
    expect(await payerOf(wallet.options.privateKey).balance()).toBe(before);
    expect(await spentToday(wallet)).toBe(BigInt(signed?.amount ?? 0));
    expect(await spentToday(wallet)).toBeGreaterThan(0n);
  });

  it('goes to no other contract than a desk of the relay', async () => {
    const thief: Hex = `0x${'66'.repeat(20)}`;
    const wallet = await newWallet({
      async fetch(input, init) {
        const response = await fetch(input, init);
        const required = response.headers.get('payment-required');
        if (required === null) return response;
        const claimed = JSON.parse(Buffer.from(required, 'base64').toString()) as { accepts: { payTo: string }[] };
        for (const offer of claimed.accepts) offer.payTo = thief;
        const headers = new Headers(response.headers);
        headers.set('payment-required', Buffer.from(JSON.stringify(claimed)).toString('base64'));
        return new Response(await response.arrayBuffer(), { status: response.status, headers });
      },
    });
    expect(await refusal(ask(wallet))).toMatchObject({ status: 402, code: 'challenge_invalid' });
    expect(await wallet.payments.list()).toEqual([]);
  });

  it('leaves books that agree with the chain', async () => {
    await stack.runJob('collect');
    await stack.runJob('anchor');
    const { claims } = await checkBooks(stack.fsckOptions);
    expect(claims.filter(({ ok }) => !ok)).toEqual([]);
  });
});
