import { randomUUID } from 'node:crypto';
import { createPublicClient, erc20Abi, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { decodePayment } from '../../protocol/x402/decode-payment.ts';
import { roundUpToUnit } from '../../server/ledger/billing-units.ts';
import { openWays, openX402, type SignPayment } from '../support/open-ways.ts';
import { chatBody } from '../support/raw-payer.ts';
import { countDue, readBooks } from '../support/read-books.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/*
 * Every way to pay in the same situations (docs/PAYMENTS.md). What happened to the money is read from the ledger's file, and at the end
 * the ledger is held against the chain.
 */

const faults = { failing: 'fault=status:500', cut: 'fault=cut-after:3', slow: 'tps=10&tokens=40' };
const [failing, cut, slow] = Object.values(faults).map((directive) => `sim-small?${directive}`);
const [freeFailing, freeCut, freeSlow] = Object.values(faults).map((directive) => `sim-free?${directive}`);
const extraRoutes = [failing, cut, slow].map(String);
const permit2 = 'x402 exact by Permit2';
const ways = ['a voucher', 'an API key', 'x402 exact', 'x402 upto', 'evm/charge', 'an allowance'] as const;
type Way = (typeof ways)[number] | typeof permit2;
const modes = [
  ['JSON', false],
  ['a stream', true],
] as const;

let stack: TestStack;
let sign: Partial<Record<Way, SignPayment>>;

interface Order {
  body: string;
  headers: Record<string, string>;
}

/** A request that is paid by one way; sent again, it says that it is the same. */
async function order(way: Way, stream: boolean, model = 'sim-small'): Promise<Order> {
  const body = chatBody({ model, stream, user: randomUUID() });
  return { body, headers: { 'idempotency-key': randomUUID(), ...(await sign[way]?.(body)) } };
}

async function send({ body, headers }: Order) {
  const response = await stack.payer.post(body, headers);
  const text = await response.text();
  const encoded = response.headers.get('x-autopay-receipt') ?? /^: autopay-receipt (\S+)$/m.exec(text)?.[1] ?? '';
  const { status } = response;
  return { status, text, encoded, amount: encoded && decodeReceipt(decodeSignedReceipt(encoded).entry).amount };
}

const books = () => readBooks(stack.stack.dataDir);

async function booksAgree(): Promise<void> {
  await stack.runJob('collect');
  await stack.runJob('anchor');
  const { claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter(({ ok }) => !ok)).toEqual([]);
}

const health = async (): Promise<unknown> => (await fetch(`${stack.stack.relayUrl}/healthz`)).json();
const allSettled = () => expect.poll(() => countDue(stack.stack.dataDir), { timeout: 20_000 }).toBe(0);

/** What the wallet holds of the first token and of AGPT. */
function readWallet(): Promise<bigint[]> {
  const reader = createPublicClient({ transport: http(stack.stack.rpcUrl) });
  const tokens = [stack.payer.scope.token, stack.stack.contracts.agpt];
  const args = [stack.payer.address] as const;
  return Promise.all(
    tokens.map((address) => reader.readContract({ address, abi: erc20Abi, functionName: 'balanceOf', args })),
  );
}

async function mineBlocks(isOn: boolean): Promise<void> {
  const ask = (method: string, params: unknown[]) =>
    fetch(stack.stack.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
  await ask('evm_setAutomine', [isOn]);
  if (isOn) await ask('evm_mine', []);
}

/** The situations that every way has in common. */
function describeWays(all: readonly Way[]): void {
  describe.each(all)('%s', (way) => {
    describe.each(modes)('with %s', (_mode, stream) => {
      it('pays for one call what its receipt says', async () => {
        const before = books();
        const { amount, status, text } = await send(await order(way, stream));
        expect([status, text.includes('[DONE]')]).toEqual([200, stream]);
        expect(amount).toBeGreaterThan(0n);
        expect(books()).toEqual({ charges: before.charges + 1, sum: before.sum + BigInt(amount), open: 0 });
      });

      it('sent again gets the same answer and pays nothing more', async () => {
        const request = await order(way, stream);
        const first = await send(request);
        const before = books();
        const again = await send(request);
        expect([again.status, again.encoded]).toEqual([200, first.encoded]);
        expect(books()).toEqual(before);
      });

      it('sent 10 times at once is served and charged once', async () => {
        const before = books();
        const request = await order(way, stream);
        const answers = await Promise.all(Array.from({ length: 10 }, () => send(request)));
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
        expect(new Set(answers.map(({ encoded }) => encoded)).size).toBe(1);
        const amount = BigInt(answers[0]?.amount ?? 0);
        expect(books()).toEqual({ charges: before.charges + 1, sum: before.sum + amount, open: 0 });
      });

      it('pays nothing where the provider fails', async () => {
        const before = books();
        const { encoded, status } = await send(await order(way, stream, failing));
        expect([status, encoded]).toEqual([500, '']);
        expect(books()).toEqual(before);
      });

      it('pays nothing where the provider breaks its answer off', async () => {
        const before = books();
        expect(await statusOf(await order(way, stream, cut))).toBe(stream ? 'broken off' : 502);
        await expect.poll(books).toEqual(before);
      });
    });
  });
}

/** Of a request that may be broken off. */
function statusOf(request: Order): Promise<number | 'broken off'> {
  return send(request).then(
    ({ status }) => status,
    () => 'broken off',
  );
}

/** Crashes, of all ways at once. `settled` are those whose money moves call by call. */
function describeCrashes(all: readonly Way[], settled: readonly Way[]): void {
  describe('a crash of the relay in the middle of a call', () => {
    it.each(modes)(
      'costs nobody anything, and the same request buys it afterwards: %s',
      async (_mode, stream) => {
        const before = books();
        const requests = await Promise.all(all.map((way) => order(way, stream, slow)));
        const broken = Promise.allSettled(requests.map(send));
        await expect.poll(() => books().open, { timeout: 20_000 }).toBe(all.length);
        await stack.killRelay();
        expect(new Set((await broken).map(({ status }) => status))).toEqual(new Set(['rejected']));
        await stack.startRelay();
        expect(books()).toEqual(before);
        const answers = await Promise.all(requests.map(send));
        expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
        const sum = answers.reduce((total, { amount }) => total + BigInt(amount), before.sum);
        expect(books()).toEqual({ charges: before.charges + all.length, sum, open: 0 });
      },
      120_000,
    );
  });

  describe('a crash of the relay between charge and settlement', () => {
    it.each(modes)(
      'is made good once after the restart, and the same request gets its answer: %s',
      async (_mode, stream) => {
        // What earlier payments owe back is back, so that the wallet tells of these alone.
        await allSettled();
        await booksAgree();
        const [before, wallet] = [books(), await readWallet()];
        const requests = await Promise.all(settled.map((way) => order(way, stream)));
        await mineBlocks(false);
        try {
          const sent = Promise.allSettled(requests.map(send));
          await expect.poll(() => countDue(stack.stack.dataDir), { timeout: 20_000 }).toBe(settled.length);
          // Streams are whole by now; JSON is kept back until its money is there.
          if (stream) await sent;
          await stack.killRelay();
          const ends = (await sent).map(({ status }) => status);
          expect(new Set(ends)).toEqual(new Set([stream ? 'fulfilled' : 'rejected']));
        } finally {
          await mineBlocks(true);
        }
        await stack.startRelay();
        const answers = await Promise.all(requests.map(send));
        expect(answers.map(({ status }) => status)).toEqual(settled.map(() => 200));
        await allSettled();
        const amounts = answers.map(({ amount }) => BigInt(amount));
        const sum = amounts.reduce((total, amount) => total + amount, before.sum);
        expect(books()).toEqual({ charges: before.charges + settled.length, sum, open: 0 });
        await booksAgree();
        const spent = { token: 0n, agpt: 0n };
        settled.forEach((way, at) => {
          const amount = amounts[at] ?? 0n;
          if (way === 'an allowance') spent.agpt += roundUpToUnit(amount);
          else spent.token += amount;
        });
        expect(await readWallet()).toEqual([(wallet[0] ?? 0n) - spent.token, (wallet[1] ?? 0n) - spent.agpt]);
      },
      120_000,
    );

    it('leaves books that agree with the chain', async () => {
      await allSettled();
      expect(await health()).toMatchObject({ payments: { lost: 0 } });
      await booksAgree();
    }, 60_000);
  });
}

describe('in USDC', () => {
  beforeAll(async () => {
    const freeRoutes = [freeFailing, freeCut, freeSlow].map(String);
    stack = await startTestStack({ extraRoutes, freeRoutes, config: { free: { requestsPerMinute: 1_000 } } });
    sign = await openWays(stack);
  }, 180_000);
  afterAll(() => stack.stop());

  describeWays(ways);

  describe.each(['an API key', 'an allowance'] as const)('%s', (way) => {
    it.each(modes)(
      'sent again without an Idempotency-Key is another call, which pays for itself: %s',
      async (_mode, stream) => {
        const before = books();
        const { body, headers } = await order(way, stream);
        const request = { body, headers: { authorization: headers['authorization'] ?? '' } };
        const [first, again] = [await send(request), await send(request)];
        expect([first.status, again.status]).toEqual([200, 200]);
        expect(again.encoded).not.toBe(first.encoded);
        const sum = before.sum + BigInt(first.amount) + BigInt(again.amount);
        expect(books()).toEqual({ charges: before.charges + 2, sum, open: 0 });
      },
    );
  });

  describe.each(modes)('a free route with %s', (_mode, stream) => {
    const ask = (model = 'sim-free'): Order => ({
      body: chatBody({ model, stream }),
      headers: { 'idempotency-key': 'the same' },
    });

    it('costs nothing, and says so in a receipt; asked again it is another call', async () => {
      const before = books();
      const answers = [await send(ask()), await send(ask())];
      expect(answers.map(({ status, amount }) => [status, amount])).toEqual([
        [200, 0n],
        [200, 0n],
      ]);
      expect(answers[0]?.text.includes('[DONE]')).toBe(stream);
      expect(answers[1]?.encoded).not.toBe(answers[0]?.encoded);
      expect(books()).toEqual({ ...before, charges: before.charges + 2 });
    });

    it('asked 10 times at once serves 10 calls, with a receipt each', async () => {
      const before = books();
      const answers = await Promise.all(Array.from({ length: 10 }, () => send(ask())));
      expect(new Set(answers.map(({ encoded }) => encoded)).size).toBe(10);
      expect(new Set(answers.map(({ amount }) => amount))).toEqual(new Set([0n]));
      expect(books()).toEqual({ ...before, charges: before.charges + 10 });
    });

    it('leaves no receipt where the provider fails, or breaks its answer off', async () => {
      const before = books();
      expect(await send(ask(freeFailing))).toMatchObject({ status: 500, encoded: '' });
      expect(await statusOf(ask(freeCut))).toBe(stream ? 'broken off' : 502);
      await expect.poll(books).toEqual(before);
    });

    it('leaves no receipt of a call in which the relay crashed', async () => {
      const before = books();
      const broken = statusOf(ask(freeSlow));
      await expect.poll(() => books().open).toBe(1);
      await stack.killRelay();
      expect(await broken).toBe('broken off');
      await stack.startRelay();
      expect(books()).toEqual(before);
      expect(await send(ask())).toMatchObject({ status: 200, amount: 0n });
    }, 60_000);
  });

  describeCrashes(ways, ['x402 exact', 'x402 upto', 'evm/charge', 'an allowance']);
});

describe('in a token without EIP-3009', () => {
  beforeAll(async () => {
    stack = await startTestStack({ extraRoutes, hasPlainToken: true });
    const x402 = await openX402(stack);
    sign = { [permit2]: (body) => x402.sign(body, 'exact') };
  }, 180_000);
  afterAll(() => stack.stop());

  it('exact is signed for Permit2, by the unmodified client', async () => {
    const { headers } = await order(permit2, false);
    const { signed } = decodePayment('PAYMENT-SIGNATURE', headers['PAYMENT-SIGNATURE'] ?? '');
    expect(signed).toMatchObject({ kind: 'permit2-exact', token: stack.payer.scope.token });
  });

  describeWays([permit2]);
  describeCrashes([permit2], [permit2]);
});
