import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { fundWallet } from '../support/fund-wallet.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { chatBody } from '../support/raw-payer.ts';
import { readBooks } from '../support/read-books.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

/* A wallet that has spent what the relay lets one wallet spend, with unmodified clients, by whatever it pays with. */

/** Costs more than 100 atomic units, and holds more than 600. */
const model = 'sim-small?tokens=200';
const ask = { model, messages: [{ role: 'user' as const, content: 'Hi.' }], max_tokens: 1_000 };

let stack: TestStack;
let client: OpenAI;
let requests = 0;

beforeAll(async () => {
  // In US dollars, 700 atomic units; a period that does not end while the test runs.
  const payment = { payerBudget: { amount: '0.0007', period: '520w' } };
  stack = await startTestStack({ extraRoutes: [model], config: { payment } });
  const { payer, payFetchOptions } = stack;
  const owner = new KeyOwner(payer, payFetchOptions.privateKey);
  await owner.logIn();
  await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 1_000_000n);
  const { apiKey } = await owner.createKey();
  const counting: typeof fetch = (input, init) => {
    requests += 1;
    return fetch(input, init);
  };
  client = new OpenAI({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey, fetch: counting });
}, 180_000);
afterAll(() => stack.stop());

function payerOf(privateKey: Hex): X402Payer {
  const { relayUrl, rpcUrl, token } = stack.payer.scope;
  return new X402Payer({ relayUrl, rpcUrl, token, privateKey });
}

function pay(payer: X402Payer): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: chatBody({ model, max_tokens: 1_000 }) };
  return payer.fetch('exact')(`${stack.stack.relayUrl}/v1/chat/completions`, init);
}

const books = () => readBooks(stack.stack.dataDir);
/** What the other wallet was charged. */
let ofOther = 0n;
const sumOfPayer = () => books().sum - ofOther;

it('is told so, once, with what is left and until when, and is charged nothing', async () => {
  await client.chat.completions.create(ask);
  const before = books();
  expect(before.sum).toBeGreaterThan(100n);
  requests = 0;
  const refused: unknown = await client.chat.completions.create(ask).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
  expect(refused).toMatchObject({
    ...{ status: 429, code: 'scope_exceeded', type: 'budget_exceeded' },
    message: expect.stringContaining('one wallet spend in a period'),
    error: {
      ...{ scope: `payer:${stack.payer.address.toLowerCase()}`, limit: '700', charged: String(before.sum) },
      ...{ reserved: '0', resetsAt: expect.stringMatching(/^\d{4}-/) },
    },
  });
  const { headers } = refused as { headers: Headers };
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  // The client repeats a 429 twice, unless it is told that this does not help.
  expect([requests, books()]).toEqual([1, before]);
});

it('is told the same with a payment of its own, which is not used; another wallet pays', async () => {
  const payer = payerOf(stack.payFetchOptions.privateKey);
  const [held, before] = [await payer.balance(), books()];
  const refused = await pay(payer);
  const told = (await refused.json()) as { error: object };
  expect([refused.status, told.error]).toMatchObject([429, { code: 'scope_exceeded', limit: '700' }]);
  expect(payer.lastPayment).not.toBe('');
  expect([await payer.balance(), books()]).toEqual([held, before]);
  const other = payerOf(await fundWallet(stack, { usdcAtomic: 1_000_000n }));
  expect((await pay(other)).status).toBe(200);
  ofOther = books().sum - before.sum;
});

it('may still make a call that fits', async () => {
  const { usage } = await client.chat.completions.create({ ...ask, max_tokens: 5 });
  expect(usage?.completion_tokens).toBeLessThanOrEqual(5);
});

it('goes on once its operator has raised the budget, while the relay runs; what was spent still counts', async () => {
  const file = join(stack.stack.dataDir, 'autopay.yaml');
  const config = parse(await readFile(file, 'utf8')) as object;
  const payment = { payerBudget: { amount: '0.0017', period: '520w' } };
  await writeFile(file, stringify({ ...config, payment }));
  const status = async (): Promise<unknown> => {
    try {
      await client.chat.completions.create(ask);
      return 200;
    } catch (error) {
      return (error as InstanceType<typeof OpenAI.APIError>).status;
    }
  };
  await expect.poll(status, { timeout: 15_000 }).toBe(200);
  const refused: unknown = await client.chat.completions
    .create({ ...ask, max_tokens: 3_000 })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'scope_exceeded', error: { limit: '1700', charged: String(sumOfPayer()) } });
});
