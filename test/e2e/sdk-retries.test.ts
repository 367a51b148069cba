import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeyOwner } from '../support/key-owner.ts';
import { countDue, readBooks } from '../support/read-books.ts';
import { chatBody } from '../support/raw-payer.ts';
import { sendAllowance } from '../support/send-allowance.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

/*
 * The unmodified OpenAI client as people use it: it repeats 408, 409, 429 and 5xx twice, without an Idempotency-Key, unless it is
 * told not to. What it repeats must not have been charged; what was charged it must not repeat.
 */

const failing = 'sim-small?fault=status:500';
const cut = 'sim-small?fault=cut-after:300';
const cutStream = 'sim-small?fault=cut-after:3';
const long = 'sim-small?tokens=3000';
const slow = 'sim-small?tps=10&tokens=60';
const dripping = 'sim-small?tokens=60;fault=slow-drip:200';
const messages = [{ role: 'user' as const, content: 'Hi.' }];

let stack: TestStack;
let owner: KeyOwner;
let apiKey: string;
let x402: X402Payer;
let requests = 0;

beforeAll(async () => {
  stack = await startTestStack({
    extraRoutes: [failing, cut, cutStream, long, slow, dripping],
    config: { limits: { callTimeoutMs: 3_000, maxResponseBytes: 8_192 } },
  });
  const { payer, payFetchOptions } = stack;
  const { privateKey } = payFetchOptions;
  const { relayUrl, rpcUrl, token } = payer.scope;
  x402 = new X402Payer({ relayUrl, rpcUrl, token, privateKey });
  owner = new KeyOwner(payer, privateKey);
  await owner.logIn();
  await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 1_000_000n);
  ({ apiKey } = await owner.createKey());
}, 180_000);
afterAll(() => stack.stop());
beforeEach(() => {
  requests = 0;
});

function clientOf(key: string, defaultHeaders: Record<string, string> = {}): OpenAI {
  const counting: typeof fetch = (input, init) => {
    requests += 1;
    return fetch(input, init);
  };
  return new OpenAI({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey: key, fetch: counting, defaultHeaders });
}

const books = () => readBooks(stack.stack.dataDir);

/** Makes a call; its status and error code, or "broken off". */
async function call(client: OpenAI, model: string, stream = false): Promise<[number | string | undefined, unknown]> {
  try {
    const options = { model, messages, max_tokens: 3_000 };
    if (!stream) await client.chat.completions.create(options);
    else for await (const _chunk of await client.chat.completions.create({ ...options, stream })) continue;
    return [200, undefined];
  } catch (error) {
    if (error instanceof OpenAI.APIError) return [error.status ?? 'broken off', error.code];
    return ['broken off', undefined];
  }
}

describe('the unmodified OpenAI client', () => {
  it.each([
    ['repeats what a provider failed at, which is charged nothing', failing, [500, 3, 0]],
    ['does not repeat an answer that the provider broke off', cut, [502, 1, 0]],
    ['does not repeat an answer that is too long, and charged', long, [502, 1, 1]],
    ['does not repeat an answer that took too long, and is charged', dripping, [504, 1, 1]],
  ] as const)('%s', async (_what, model, [status, times, charges]) => {
    const before = books();
    expect((await call(clientOf(apiKey), model))[0]).toBe(status);
    expect([requests, books().charges - before.charges]).toEqual([times, charges]);
    await expect.poll(() => books().open).toBe(0);
  });

  it.each([
    ['that the provider broke off', cutStream, 0],
    ['that is too long, and charged', long, 1],
    ['that took too long, and is charged', slow, 1],
  ] as const)('does not repeat a stream %s', async (_what, model, charges) => {
    const before = books();
    await call(clientOf(apiKey), model, true);
    expect(requests).toBe(1);
    await expect.poll(() => [books().charges - before.charges, books().open]).toEqual([charges, 0]);
  });

  it('does not repeat what its key’s budget refuses', async () => {
    const { apiKey: poor } = await owner.createKey({ budget: '1' });
    const before = books();
    expect(await call(clientOf(poor), 'sim-small')).toEqual([429, 'scope_exceeded']);
    expect([requests, books()]).toEqual([1, before]);
  });

  it('does not repeat what has to be paid, nor a payment that is used', async () => {
    expect((await call(clientOf('a placeholder'), 'sim-small'))[0]).toBe(402);
    expect(requests).toBe(1);
    const headers = await x402.sign(chatBody({ max_tokens: 3_000 }), 'exact');
    const client = clientOf('a placeholder', headers);
    expect((await call(client, 'sim-small'))[0]).toBe(200);
    const before = books();
    requests = 0;
    // Another model is another body: the payment is not for it.
    expect(await call(client, failing)).toEqual([409, 'payment_already_used']);
    expect([requests, books()]).toEqual([1, before]);
  });

  it('does not repeat a call whose settlement is pending: without a key it would be another call', async () => {
    await sendAllowance({
      ...{ functionName: 'approve', amount: 10n ** 18n, stack: stack.stack },
      privateKey: stack.payFetchOptions.privateKey,
    });
    const { apiKey: allowanceKey } = await owner.createKey({ mode: 'allowance' });
    const before = books();
    await mineBlocks(false);
    try {
      expect(await call(clientOf(allowanceKey), 'sim-small')).toEqual([503, 'settlement_pending']);
    } finally {
      await mineBlocks(true);
    }
    await expect.poll(() => countDue(stack.stack.dataDir), { timeout: 20_000 }).toBe(0);
    expect([requests, books().charges - before.charges]).toEqual([1, 1]);
  }, 60_000);
});

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
