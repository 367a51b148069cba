import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicClient, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { startStack, type RunningStack } from '../../scripts/stack.ts';
import { askSpent } from '../../server/payer/ask-seller.ts';
import { createTransport } from '../../server/providers/openai-compatible.ts';
import type { StoredPurchase } from '../../server/ledger/purchase-ledger.ts';
import type { ChannelCondition } from '../../server/payer/keep-channel.ts';
import { makeWallet, sendToken, setBalance } from '../support/buyer-wallet.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// Relay A sells calls that it buys from relay B; each has contracts of its own on one chain.
const buyer = makeWallet();
const limits = { maxPerCall: 50_000n, maxPerDay: 50_000_000n, payTo: null };
let seller: TestStack;
let relay: RunningStack;
let folder: string;
let token: Hex;
let pay: typeof fetch;

beforeAll(async () => {
  seller = await startTestStack();
  const { rpcUrl, contracts, tokens } = seller.stack;
  token = tokens['USDC']?.address ?? '0x';
  await sendToken({ rpcUrl, token, from: seller.payFetchOptions.privateKey, to: buyer.address, amount: 100_000_000n });
  await setBalance(rpcUrl, buyer.address);
  folder = await mkdtemp(join(tmpdir(), 'autopay-buying-'));
  const deployments = [{ provider: 'b', model: 'sim-small' }];
  relay = await startStack({
    ...{ dataDir: join(folder, 'stack'), rpcUrl, usdc: token, relayEnv: { BUYER_KEY: buyer.privateKey } },
    config: {
      providers: [
        {
          ...{ name: 'b', baseUrl: `${seller.stack.relayUrl}/v1` },
          auth: { type: 'mpp', walletKeyEnv: 'BUYER_KEY', maxPerCall: '0.05', maxPerDay: '50' },
        },
      ],
      payment_channels: [{ provider: 'b', chain: 'local', balance: '1 USDC', escrow: contracts.paymentChannels }],
      auto_refill: { threshold: '0.998 USDC', amount: '3 USDC', gas_optimized: true, max_wait_seconds: 1 },
      routes: [{ model: 'resold', deployments, price: { prompt: '1', completion: '4' } }],
    },
  });
  const privateKey = (await readFile(relay.stack.wallet.keyFile, 'utf8')).trim() as Hex;
  const relayUrl = relay.stack.relayUrl;
  pay = createPayFetch({ relayUrl, rpcUrl, privateKey, stateDir: join(folder, 'wallet'), deposit: 5_000_000n });
}, 240_000);
afterAll(async () => {
  await relay?.stop();
  await seller?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function state(callId?: string): Promise<{ purchases: StoredPurchase[]; channels: ChannelCondition[] }> {
  const bearer = (await readFile(relay.stack.operatorTokenFile, 'utf8')).trim();
  const url = `${relay.stack.relayUrl}/v1/operator/purchases${callId === undefined ? '' : `?callId=${callId}`}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
  return (await answer.json()) as { purchases: StoredPurchase[]; channels: ChannelCondition[] };
}
const purchasesOf = async (response: Response) =>
  (await state(response.headers.get('x-autopay-call-id') ?? '')).purchases;
const call = (more: object = {}) =>
  pay(`${relay.stack.relayUrl}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ model: 'resold', messages: [{ role: 'user', content: 'Hi.' }], max_tokens: 16, ...more }),
  });

describe('a call that is bought from another relay', () => {
  it('is paid by a voucher, and its cost is what the seller’s receipt says', async () => {
    await expect
      .poll(async () => (await state()).channels, { timeout: 30_000 })
      .toMatchObject([{ provider: 'b', condition: 'ok', deposit: '1000000', available: '1000000' }]);
    const response = await call();
    expect(response.status).toBe(200);
    const own = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
    await expect
      .poll(() => purchasesOf(response))
      .toMatchObject([{ state: 'paid', method: 'evm/session', attempt: 1 }]);
    const [purchase] = await purchasesOf(response);
    const sold = decodeReceipt(decodeSignedReceipt(purchase?.receipt ?? '').entry);
    expect(sold).toMatchObject({ payer: buyer.address, channelId: purchase?.channelId, sequence: 1 });
    expect(String(purchase?.cost)).toBe(String(sold.amount));
    expect(own.amount).toBeGreaterThan(sold.amount);
    expect(own.usage).toEqual(sold.usage);
  }, 60_000);

  it('streams, with no receipt but the relay’s own for the client', async () => {
    const response = await call({ stream: true });
    const text = await response.text();
    expect(text.match(/: autopay-receipt/g)).toHaveLength(1);
    await expect.poll(() => purchasesOf(response)).toMatchObject([{ state: 'paid' }]);
  });

  it('works twenty times at once, and the totals agree with the seller’s', async () => {
    const responses = await Promise.all(Array.from({ length: 20 }, () => call()));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    const bought = async () => (await state()).purchases;
    await expect.poll(async () => (await bought()).filter((one) => one.state !== 'paid')).toEqual([]);
    const all = await bought();
    expect(all).toHaveLength(22);
    const receipts = all.map(({ receipt }) => decodeReceipt(decodeSignedReceipt(receipt ?? '').entry));
    expect(new Set(receipts.map(({ sequence }) => sequence)).size).toBe(22);
    const total = receipts.reduce((sum, { amount }) => sum + amount, 0n);
    expect(
      receipts
        .map(({ runningTotal }) => runningTotal)
        .sort((a, b) => Number(a - b))
        .at(-1),
    ).toBe(total);
    // What the seller takes from the channel is what it cost.
    await seller.runJob('collect');
    const { rpcUrl, contracts } = seller.stack;
    const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
    const channelId = all[0]?.channelId ?? '0x';
    const client = createPublicClient({ transport: http(rpcUrl) });
    expect(await client.readContract({ ...escrow, functionName: 'getChannel', args: [channelId] })).toMatchObject({
      ...{ payer: expect.stringMatching(new RegExp(buyer.address, 'i')), settled: total },
    });
  }, 60_000);

  it('whose cost is not known is asked for by a voucher without a call', async () => {
    const { purchases } = await state();
    const baseUrl = `${seller.stack.relayUrl}/v1`;
    const transport = createTransport({
      ...{ providers: [{ name: 'b', baseUrl }], connectTimeoutMs: 5_000, headersTimeoutMs: 15_000 },
      ...{ idleTimeoutMs: 15_000, maxConnections: 1 },
    });
    const questions = {
      terms: { provider: 'b', chainId: 31_337, token: { symbol: 'USDC', address: token, decimals: 6 }, ...limits },
      deployment: { id: 'b@default', provider: 'b', model: 'sim-small' },
      ...{ transport, escrow: seller.stack.contracts.paymentChannels },
    };
    const signed = purchases.map(({ cumulative }) => BigInt(cumulative ?? 0)).sort((a, b) => Number(b - a))[0] ?? 0n;
    const channel = { channelId: purchases[0]?.channelId ?? '0x', signed };
    const wallet = { address: buyer.address, privateKey: Buffer.from(buyer.privateKey.slice(2), 'hex') };
    const total = purchases.reduce((sum, { cost }) => sum + BigInt(cost ?? 0), 0n);
    expect(await askSpent(questions, channel, wallet)).toBe(total);
    await transport.close();
  });

  it('fills the channel up once it is low, once, though the relay is killed', async () => {
    const big = 'Say a lot. '.repeat(600);
    const request = () => call({ messages: [{ role: 'user', content: big }], max_tokens: 4_000 });
    // Each holds some thousandths of a dollar while it runs, and costs less.
    const isLow = async () => (await state()).purchases.reduce((sum, { cost }) => sum + BigInt(cost ?? 0), 0n) > 2_000n;
    while (!(await isLow())) await Promise.all(Array.from({ length: 4 }, async () => (await request()).bytes()));
    await relay.killRelay();
    await relay.startRelay({ BUYER_KEY: buyer.privateKey });
    const deposit = async () => (await state()).channels[0];
    await expect.poll(deposit, { timeout: 60_000 }).toMatchObject({ deposit: '4000000', condition: 'ok' });
    expect((await call()).status).toBe(200);
    expect(await deposit()).toMatchObject({ deposit: '4000000' });
  }, 120_000);
});
