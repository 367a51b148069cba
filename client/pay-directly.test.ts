import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { encodeHeaderJson } from '../protocol/x402/header-json.ts';
import { readChatCall } from './estimate-quote.ts';
import type { Connection, Wallet, WalletOptions } from './open-wallet.ts';
import { openWallet } from './open-wallet.ts';
import { payDirectly } from './pay-directly.ts';
import type { Offer } from './read-offers.ts';
import { doubleTerms, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

// The relay is a double for its terms and receipts; what it answers to a payment is each test's. The real one is met in
// test/e2e/wallet-methods.test.ts.
const desk: Hex = `0x${'de'.repeat(20)}`;
const amount = 5_000n;
const body = Buffer.from(
  JSON.stringify({ model: 'free', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }),
);
const offer: Offer = {
  ...{ method: 'x402/exact', network: 'eip155:31337', chainId: 31_337, asset: doubleTerms.token.address, amount },
  ...{ payTo: desk, transfer: 'eip3009', domain: { name: 'USD Coin', version: '2' }, validSeconds: 60 },
  source: { version: 2, requirements: {}, resource: {} },
};

let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let sent: number;
beforeEach(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  sent = 0;
});
afterEach(async () => {
  await double.close();
  await seeded.remove();
});

/** A wallet whose relay answers payments so; `desks` is what a chain says of them, if there is a chain. */
function walletFor(
  answer: (input: Parameters<typeof fetch>[0], init: RequestInit | undefined) => Promise<Response>,
  { desks, ...more }: Partial<WalletOptions> & { desks?: readonly Hex[] } = {},
): Wallet {
  const wallet = openWallet({
    ...{ relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, onWarning: () => undefined },
    async fetch(input, init) {
      if (!new Headers(init?.headers).has('payment-signature')) return fetch(input, init);
      sent += 1;
      return answer(input, init);
    },
    ...more,
  });
  if (desks === undefined) return wallet;
  const chain = { isDesk: async (address: Hex) => desks.includes(address) } as unknown as Connection['chain'];
  return { ...wallet, connect: async () => ({ ...(await wallet.connect()), chain }) };
}

function pay(wallet: Wallet): Promise<Response> {
  const request = { url: `${double.url}/v1/chat/completions`, headers: new Headers(), body };
  const call = readChatCall(body) ?? expect.fail('it is a call');
  return payDirectly(wallet, { request: { ...request, signal: AbortSignal.timeout(20_000) }, call, offer, amount });
}

const refuse = (status: number, code: string) => async () =>
  Response.json({ error: { message: 'no', code } }, { status });
const books = async (wallet: Wallet) => ({
  spentToday: (await wallet.state.read()).spending.map((entry) => entry.amount),
  payments: (await wallet.payments.list()).map(({ state, taken, reason }) => [state, taken, reason]),
});

describe('a payment of one call to a relay', () => {
  it('that is refused is recorded as refused', async () => {
    const wallet = walletFor(refuse(500, 'upstream_error'), { desks: [desk] });
    expect((await pay(wallet)).status).toBe(500);
    expect((await books(wallet)).payments).toEqual([['refused', null, '500 upstream_error']]);
  });

  it.each([[[desk]], [undefined]])(
    'that is refused stays counted, for it can still be taken (desks: %s)',
    async (desks) => {
      const wallet = walletFor(refuse(402, 'payment_invalid'), {
        ...(desks && { desks }),
        limits: { perDay: '0.0149' },
      });
      await pay(wallet);
      await pay(wallet);
      await expect(pay(wallet)).rejects.toMatchObject({ code: 'wallet_limit_exceeded' });
      expect([sent, (await books(wallet)).spentToday]).toEqual([2, [10_000n]]);
    },
  );

  it('so does one whose stream ends with an error', async () => {
    const headers = { 'content-type': 'text/event-stream' };
    const broken = async () => new Response('data: {"error":{"code":"upstream_error"}}\n\n', { headers });
    const wallet = walletFor(broken, { desks: [desk] });
    const answer = await pay(wallet);
    const reader = answer.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect((await books(wallet)).spentToday).toEqual([amount]);
  });

  it('stays counted where it may still be settled', async () => {
    const wallet = walletFor(refuse(402, 'settlement_failed'), { desks: [desk] });
    await pay(wallet);
    expect(await books(wallet)).toEqual({
      ...{ spentToday: [amount], payments: [['unconfirmed', null, '402 settlement_failed']] },
    });
  });

  it('is not taken for settled where the relay says that it could not settle it', async () => {
    const failed = encodeHeaderJson({ success: false, transaction: '', errorReason: 'no gas' });
    const wallet = walletFor(async (input, init) => {
      const { status, headers, body: served } = await fetch(input, init);
      return new Response(served, { status, headers: { ...Object.fromEntries(headers), 'payment-response': failed } });
    });
    expect((await pay(wallet)).status).toBe(200);
    expect((await books(wallet)).payments).toEqual([['unconfirmed', null, 'no gas']]);
  });

  it('goes to nobody else than a desk of the relay, and not above the limit for one call', async () => {
    const answer = () => Promise.reject(new Error('nothing may be sent'));
    const thief = walletFor(answer, { desks: [] });
    await expect(pay(thief)).rejects.toMatchObject({ code: 'challenge_invalid' });
    const careful = walletFor(answer, { maxCallAmount: amount - 1n });
    await expect(pay(careful)).rejects.toMatchObject({ code: 'spending_limit_reached' });
    expect([sent, await books(careful)]).toEqual([0, { spentToday: [], payments: [] }]);
  });
});
