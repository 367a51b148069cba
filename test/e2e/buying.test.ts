import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { StoredPurchase } from '../../server/ledger/purchase-ledger.ts';
import { balanceOf, makeWallet, sendToken, setBalance } from '../support/buyer-wallet.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import {
  startChargeSeller,
  startPlainSeller,
  startX402Seller,
  type TestSeller,
} from '../support/start-buying-sellers.ts';

const buyer = makeWallet();
const settlers = [makeWallet(), makeWallet()];
const price = { prompt: '100', completion: '100' };

let stack: TestStack;
let x402: TestSeller;
let charge: TestSeller;
let plain: TestSeller;
let token: Hex;

beforeAll(async () => {
  [x402, charge, plain] = await Promise.all([startX402Seller(), startChargeSeller(), startPlainSeller()]);
  const limits = { walletKeyEnv: 'BUYER_KEY', maxPerCall: '0.02', maxPerDay: '0.26', token: 'USDC' };
  const deployments = (first: string) => [
    { provider: first, model: 'm' },
    { provider: 'plain', model: 'm' },
  ];
  stack = await startTestStack({
    relayEnv: { BUYER_KEY: buyer.privateKey },
    config: {
      providers: [
        { name: 'x402', baseUrl: x402.baseUrl, auth: { type: 'x402', ...limits } },
        { name: 'charge', baseUrl: charge.baseUrl, auth: { type: 'mpp', ...limits } },
        { name: 'plain', baseUrl: plain.baseUrl },
      ],
      routes: [
        { model: 'by-x402', deployments: deployments('x402').slice(0, 1), price },
        { model: 'by-charge', deployments: deployments('charge').slice(0, 1), price },
        { model: 'x402-or-plain', deployments: deployments('x402'), price },
      ],
    },
  });
  token = stack.stack.tokens['USDC']?.address ?? '0x';
  const { rpcUrl } = stack.stack;
  const from = stack.payFetchOptions.privateKey;
  await sendToken({ rpcUrl, token, from, to: buyer.address, amount: 5_000_000n });
  for (const [index, seller] of [x402, charge].entries()) {
    const { address, privateKey } = settlers[index] ?? buyer;
    await setBalance(rpcUrl, address);
    seller.open({ rpcUrl, token, settlerKey: privateKey });
  }
}, 180_000);
afterAll(async () => {
  await Promise.all([stack, x402, charge, plain].map((part) => part?.stop()));
});
beforeEach(() => {
  for (const seller of [x402, charge, plain]) {
    Object.assign(seller, { mood: 'answer', price: 10_000n, unpaid: 0, paid: 0, bodies: [] });
  }
});

const paying = () => createPayFetch({ ...stack.payFetchOptions, deposit: 5_000_000n });
let pay: typeof fetch | undefined;
function call(model: string, more: object = {}): Promise<Response> {
  pay ??= paying();
  return pay(`${stack.stack.relayUrl}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi.' }], max_tokens: 4, ...more }),
  });
}
async function operator(path: string): Promise<{ purchases: StoredPurchase[] }> {
  const bearer = (await readFile(stack.stack.operatorTokenFile, 'utf8')).trim();
  const url = `${stack.stack.relayUrl}/v1/operator/${path}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
  return (await answer.json()) as { purchases: StoredPurchase[] };
}
const purchases = async (response: Response) =>
  (await operator(`purchases?callId=${response.headers.get('x-autopay-call-id')}`)).purchases;
const has = (address: Hex) => balanceOf(stack.stack.rpcUrl, token, address);

describe.each(['x402', 'charge'] as const)('a provider that sells by %s', (kind) => {
  const seller = () => (kind === 'x402' ? x402 : charge);
  const method = kind === 'x402' ? 'x402' : 'evm/charge';

  it('is paid its price, once, and the payer of the relay the relay’s own', async () => {
    const before = await has(buyer.address);
    const response = await call(`by-${kind}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Hello.' } }] });
    expect(seller()).toMatchObject({ unpaid: 1, paid: 1 });
    expect(await has(seller().payTo)).toBe(10_000n);
    expect(await has(buyer.address)).toBe(before - 10_000n);
    expect(await purchases(response)).toMatchObject([
      { provider: kind, attempt: 1, method, state: 'paid', cost: '10000', maximum: '10000', payee: seller().payTo },
    ]);
    const receipt = response.headers.get('x-autopay-receipt');
    expect(receipt).not.toBeNull();
  });

  it('streams', async () => {
    const response = await call(`by-${kind}`, { stream: true });
    expect(await response.text()).toMatch(/Hello\.[^]*autopay-receipt[^]*\[DONE\]/);
    await expect.poll(() => purchases(response)).toMatchObject([{ state: 'paid', cost: '10000' }]);
  });

  it('is not paid more than the limit for one call; the payer is not charged', async () => {
    seller().price = 20_001n;
    const response = await call(`by-${kind}`);
    expect(response.status).toBe(502);
    expect(response.headers.get('x-autopay-receipt')).toBeNull();
    expect(seller()).toMatchObject({ unpaid: 1, paid: 0 });
    expect(await purchases(response)).toEqual([]);
  });
});

describe('a provider that sells by x402, with another behind it', () => {
  it('is passed over where it is too dear', async () => {
    x402.price = 20_001n;
    const response = await call('x402-or-plain');
    expect(response.status).toBe(200);
    expect([x402.paid, plain.unpaid]).toEqual([0, 1]);
    expect(await purchases(response)).toEqual([]);
  });

  it('is paid for an attempt that failed, which is seen, and not charged to the payer', async () => {
    x402.mood = 'fail';
    const response = await call('x402-or-plain');
    expect(response.status).toBe(200);
    expect([x402.paid, plain.unpaid]).toEqual([1, 1]);
    const receipt = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
    expect(receipt.provider).toBe('plain');
    await expect
      .poll(() => purchases(response))
      .toMatchObject([{ provider: 'x402', attempt: 1, state: 'unknown', cost: null, maximum: '10000' }]);
  });

  it('sells twenty calls at once, each paid once', async () => {
    const before = await has(x402.payTo);
    const responses = await Promise.all(Array.from({ length: 20 }, () => call('x402-or-plain')));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect([x402.paid, plain.unpaid]).toEqual([20, 0]);
    expect(await has(x402.payTo)).toBe(before + 200_000n);
    const bought = (await Promise.all(responses.map((response) => purchases(response)))).flat();
    expect(new Set(bought.map(({ nonce }) => nonce)).size).toBe(20);
  }, 60_000);

  it('is not paid again for what it took and did not answer, nor after the relay was killed', async () => {
    x402.mood = 'take and hang up';
    const taken = await call('x402-or-plain');
    expect(taken.status).toBe(200);
    x402.mood = 'hold';
    const dying = call('x402-or-plain', { max_tokens: 5 });
    await expect.poll(() => x402.paid, { timeout: 20_000 }).toBe(2);
    await stack.killRelay();
    x402.mood = 'answer';
    await stack.startRelay({ BUYER_KEY: buyer.privateKey });
    await dying;
    // The wallet of the payer has asked again, with the same key: another call, and another purchase.
    const all = async () => (await operator('purchases')).purchases;
    await expect.poll(async () => (await all()).filter(({ state }) => state === 'unknown').length).toBe(2);
    expect(await purchases(taken)).toMatchObject([{ state: 'paid', cost: '10000' }]);
    expect((await all()).filter(({ state }) => state === 'open')).toEqual([]);
  }, 90_000);

  it('is paid up to the limit of the day, payments of unknown outcome included; then the other answers', async () => {
    const counted = () =>
      operator('purchases').then((answer) => answer.purchases.filter((one) => one.provider === 'x402').length);
    let calls = 0;
    while ((await counted()) < 26 && calls < 5) {
      expect((await call('x402-or-plain')).status).toBe(200);
      calls += 1;
    }
    const paidBefore = x402.paid;
    expect((await call('x402-or-plain')).status).toBe(200);
    expect(await counted()).toBe(26);
    expect([x402.paid - paidBefore, plain.unpaid]).toEqual([0, 1]);
    const nobodyElse = await call('by-x402');
    expect(nobodyElse.status).toBe(502);
    expect(nobodyElse.headers.get('x-autopay-receipt')).toBeNull();
  }, 60_000);
});
