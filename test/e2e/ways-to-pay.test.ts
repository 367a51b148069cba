import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Mppx, evm } from 'mppx/client';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { decodeAmount } from '../../server/ledger/amount-blob.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { chatBody } from '../support/raw-payer.ts';
import { sendAllowance } from '../support/send-allowance.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

/*
 * Every way to pay in the same situations (docs/PAYMENTS.md). What happened to the money is read from the ledger's file, and at the end
 * the ledger is held against the chain.
 */

const failing = 'sim-small?fault=status:500';
const cut = 'sim-small?fault=cut-after:3';
const slow = 'sim-small?tps=10&tokens=40';
const ways = ['a voucher', 'an API key', 'x402 exact', 'x402 upto', 'evm/charge', 'an allowance'] as const;
type Way = (typeof ways)[number];
type HeaderMap = Record<string, string>;
const modes = [
  ['JSON', false],
  ['a stream', true],
] as const;

let stack: TestStack;
/** The headers that pay for a request by each way, signed anew each time. */
let sign: Record<Way, (body: string) => Promise<HeaderMap>>;

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [failing, cut, slow] });
  const { payer, payFetchOptions } = stack;
  const { privateKey } = payFetchOptions;
  const { relayUrl, rpcUrl, token } = payer.scope;
  const x402 = new X402Payer({ relayUrl, rpcUrl, token, privateKey });
  await x402.approvePermit2();
  const channelId = await payer.openChannel({ deposit: 1_000_000n });
  let cumulativeAmount = 0n;
  const owner = new KeyOwner(payer, privateKey);
  await owner.logIn();
  await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 1_000_000n);
  const { apiKey } = await owner.createKey();
  await sendAllowance({ functionName: 'approve', amount: 10n ** 18n, stack: stack.stack, privateKey });
  const { apiKey: allowanceKey } = await owner.createKey({ mode: 'allowance' });
  sign = {
    'a voucher': async (body) => {
      cumulativeAmount += 2_000n;
      return {
        authorization: payer.authorization({ challenge: await payer.challenge(body), channelId, cumulativeAmount }),
      };
    },
    'an API key': async () => ({ authorization: `Bearer ${apiKey}` }),
    'x402 exact': (body) => x402.sign(body, 'exact'),
    'x402 upto': (body) => x402.sign(body, 'upto'),
    'evm/charge': signCharge,
    'an allowance': async () => ({ authorization: `Bearer ${allowanceKey}` }),
  };
}, 180_000);
afterAll(() => stack.stop());

/** What the unmodified client of `mppx` would send, without sending it. */
async function signCharge(body: string): Promise<HeaderMap> {
  const { privateKey } = stack.payFetchOptions;
  let authorization = '';
  const catching: typeof fetch = (_, init) => {
    authorization = new Headers(init?.headers).get('authorization') ?? '';
    if (authorization !== '') return Promise.resolve(new Response('{}'));
    return stack.payer.post(body, { 'accept-payment': 'evm/charge' });
  };
  const methods = [
    evm({
      account: privateKeyToAccount(privateKey),
      authorization: { name: 'USD Coin', version: '2' },
      ...{ currencies: [stack.payer.scope.token], networks: [stack.stack.chainId], decimals: 6, maxAmount: '1' },
    }),
  ];
  const client = Mppx.create({ polyfill: false, methods, fetch: catching });
  await client.fetch(`${stack.stack.relayUrl}/v1/chat/completions`, { method: 'POST', body });
  return { authorization };
}

/** A request that is paid by one way; sent again, it says that it is the same. */
async function order(way: Way, stream: boolean, model = 'sim-small'): Promise<{ body: string; headers: HeaderMap }> {
  const body = chatBody({ model, stream, user: randomUUID() });
  return { body, headers: { 'idempotency-key': randomUUID(), ...(await sign[way](body)) } };
}

async function send({ body, headers }: { body: string; headers: HeaderMap }) {
  const response = await stack.payer.post(body, headers);
  const text = await response.text();
  const encoded = response.headers.get('x-autopay-receipt') ?? /^: autopay-receipt (\S+)$/m.exec(text)?.[1] ?? '';
  const { status } = response;
  return { status, text, encoded, amount: encoded && decodeReceipt(decodeSignedReceipt(encoded).entry).amount };
}

/** What the ledger says: charges, their sum, and calls that still hold money. */
function readBooks(): { charges: number; sum: bigint; open: number } {
  const database = new DatabaseSync(join(stack.stack.dataDir, 'ledger.sqlite'), { readOnly: true });
  const amounts = database.prepare('SELECT amount FROM charges').all() as { amount: Uint8Array }[];
  const open = database.prepare("SELECT count(*) AS count FROM calls WHERE state = 'reserved'").get();
  database.close();
  const sum = amounts.reduce((total, { amount }) => total + decodeAmount(amount), 0n);
  return { charges: amounts.length, sum, open: Number(open?.['count']) };
}

async function booksAgree(): Promise<void> {
  await stack.runJob('collect');
  await stack.runJob('anchor');
  const { claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter(({ ok }) => !ok)).toEqual([]);
}

describe.each(ways)('%s', (way) => {
  describe.each(modes)('with %s', (_mode, stream) => {
    it('pays for one call what its receipt says', async () => {
      const before = readBooks();
      const { amount, status, text } = await send(await order(way, stream));
      expect([status, text.includes('[DONE]')]).toEqual([200, stream]);
      expect(amount).toBeGreaterThan(0n);
      expect(readBooks()).toEqual({ charges: before.charges + 1, sum: before.sum + BigInt(amount), open: 0 });
    });

    it('sent again gets the same answer and pays nothing more', async () => {
      const request = await order(way, stream);
      const first = await send(request);
      const before = readBooks();
      const again = await send(request);
      expect([again.status, again.encoded]).toEqual([200, first.encoded]);
      expect(readBooks()).toEqual(before);
    });

    it('sent 10 times at once is served and charged once', async () => {
      const before = readBooks();
      const request = await order(way, stream);
      const answers = await Promise.all(Array.from({ length: 10 }, () => send(request)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(answers.map(({ encoded }) => encoded)).size).toBe(1);
      const amount = BigInt(answers[0]?.amount ?? 0);
      expect(readBooks()).toEqual({ charges: before.charges + 1, sum: before.sum + amount, open: 0 });
    });

    it('pays nothing where the provider fails', async () => {
      const before = readBooks();
      const { encoded, status } = await send(await order(way, stream, failing));
      expect([status, encoded]).toEqual([500, '']);
      expect(readBooks()).toEqual(before);
    });

    it('pays nothing where the provider breaks its answer off', async () => {
      const before = readBooks();
      const ended = send(await order(way, stream, cut)).then(
        ({ status }) => status,
        () => 'broken off',
      );
      expect(await ended).toBe(stream ? 'broken off' : 502);
      await expect.poll(readBooks).toEqual(before);
    });
  });
});

describe('a crash of the relay in the middle of a call', () => {
  it.each(modes)(
    'costs nobody anything, and the same request buys it afterwards: %s',
    async (_mode, stream) => {
      const before = readBooks();
      const requests = await Promise.all(ways.map((way) => order(way, stream, slow)));
      const broken = Promise.allSettled(requests.map(send));
      await expect.poll(() => readBooks().open, { timeout: 20_000 }).toBe(ways.length);
      await stack.killRelay();
      expect(new Set((await broken).map(({ status }) => status))).toEqual(new Set(['rejected']));
      await stack.startRelay();
      expect(readBooks()).toEqual(before);
      const answers = await Promise.all(requests.map(send));
      expect(answers.map(({ status }) => status)).toEqual(ways.map(() => 200));
      const sum = answers.reduce((total, { amount }) => total + BigInt(amount), before.sum);
      expect(readBooks()).toEqual({ charges: before.charges + ways.length, sum, open: 0 });
    },
    120_000,
  );

  it('leaves books that agree with the chain', async () => {
    const health = async () =>
      (await (await fetch(`${stack.stack.relayUrl}/healthz`)).json()) as { payments: { due: number; lost: number } };
    await expect.poll(async () => (await health()).payments, { timeout: 20_000 }).toEqual({ due: 0, lost: 0 });
    await booksAgree();
  }, 60_000);
});
