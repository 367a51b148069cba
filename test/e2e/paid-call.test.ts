import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { costOfUsage } from '../../protocol/pricing/token-prices.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const messages = [{ role: 'user' as const, content: 'Tell me something — ünïcödé 🙂 included.' }];

const cut = 'sim-small?fault=cut-after:3';

let stack: TestStack;
const receipts: CallReceipt[] = [];
const seen = { raw: '' };

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [cut] });
});
afterAll(() => stack.stop());

/** A fetch that remembers receipts, around the one that pays. */
function payingFetch(): typeof fetch {
  const pay = createPayFetch(stack.payFetchOptions);
  return async (input, init) => {
    const response = await pay(input, init);
    const header = response.headers.get('x-autopay-receipt');
    if (header !== null) receipts.push(verify(header));
    return response;
  };
}

function verify(base64: string): CallReceipt {
  const { chainId, payee } = stack.payer.scope;
  return verifySignedReceipt(decodeSignedReceipt(base64), {
    scope: { chainId, verifyingContract: payee },
    signer: stack.relayAddress,
  });
}

describe('a paid, metered, collected and audited call', () => {
  it('lists models with prices', async () => {
    const openai = new OpenAI({ baseURL: `${stack.payer.scope.relayUrl}/v1`, apiKey: 'unused' });
    const models = await openai.models.list();
    const model = models.data.find(({ id }) => id === 'sim-small');
    expect(model).toMatchObject({
      object: 'model',
      pricing: [{ symbol: 'USDC', per_tokens: 1_000_000, prompt: expect.stringMatching(/^\d+$/) }, { symbol: 'AGPT' }],
    });
  });

  it('answers an unmodified OpenAI client, JSON', async () => {
    const openai = new OpenAI({ baseURL: `${stack.payer.scope.relayUrl}/v1`, apiKey: 'unused', fetch: payingFetch() });
    const answer = await openai.chat.completions.create({ model: 'sim-small', messages, max_tokens: 20 });
    expect(answer.choices[0]?.message.content).toContain('[simulated]');
    const receipt = receipts.at(-1);
    expect(receipt).toMatchObject({ modelAsked: 'sim-small', provider: 'simulated', sequence: 1, usageKind: 'exact' });
    expect(receipt?.usage.prompt).toBe(answer.usage?.prompt_tokens);
    expect(receipt?.usage.completion).toBe(answer.usage?.completion_tokens);
    expect(receipt?.amount).toBe(costOfUsage(receipt?.usage ?? fail(), { prices: stack.prices, conversion: null }));
    expect(receipt?.runningTotal).toBe(receipt?.amount);
  });

  it('streams to an unmodified OpenAI client through the sidecar, usage hidden unless asked for', async () => {
    const openai = new OpenAI({ baseURL: `${stack.sidecarUrl}/v1`, apiKey: 'unused' });
    const stream = await openai.chat.completions.create({ model: 'sim-small', messages, max_tokens: 20, stream: true });
    let content = '';
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta.content ?? '';
      expect(chunk).not.toHaveProperty('usage');
      expect(chunk.choices).toHaveLength(1);
    }
    expect(content).toContain('[simulated]');

    const withUsage = await openai.chat.completions.create({
      model: 'sim-small',
      messages,
      max_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
    });
    let usage: unknown;
    for await (const chunk of withUsage) usage = chunk.usage ?? usage;
    expect(usage).toMatchObject({ completion_tokens: 20 });
  });

  it('puts the receipt of a stream right before [DONE], as a comment', async () => {
    const response = await fetch(`${stack.sidecarUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sim-small', messages, max_tokens: 12, stream: true }),
    });
    seen.raw = await response.text();
    const match = /\n: autopay-receipt (\S+)\n\ndata: \[DONE\]\n\n$/.exec(seen.raw);
    expect(match, seen.raw).not.toBeNull();
    expect(verify(match?.[1] ?? '')).toMatchObject({ modelServed: expect.stringContaining('sim-small') });
    expect(seen.raw).not.toContain('event:');
  });

  it('serves many calls at once on one channel', async () => {
    const openai = new OpenAI({ baseURL: `${stack.sidecarUrl}/v1`, apiKey: 'unused', maxRetries: 0 });
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => openai.chat.completions.create({ model: 'sim-small', messages, max_tokens: 8 })),
    );
    expect(answers.every((answer) => answer.choices[0]?.message.content)).toBe(true);
  });

  it('gives free routes a receipt too', async () => {
    const response = await fetch(`${stack.payer.scope.relayUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sim-free', messages, max_tokens: 8 }),
    });
    expect(response.status).toBe(200);
    expect(verify(response.headers.get('x-autopay-receipt') ?? '')).toMatchObject({ amount: 0n, sequence: 0 });
  });

  it('shows an OpenAI client an error, not half an answer, when the provider cuts a stream', async () => {
    const openai = new OpenAI({ baseURL: `${stack.sidecarUrl}/v1`, apiKey: 'unused', maxRetries: 0 });
    const stream = await openai.chat.completions.create({
      model: cut,
      messages,
      max_tokens: 20,
      stream: true,
    });
    await expect(
      (async () => {
        for await (const chunk of stream) void chunk;
      })(),
    ).rejects.toThrow(APIError);
  });

  it('collects, books and anchors, and the books agree with the chain', async () => {
    const collected = await stack.runJob('collect');
    expect(collected).toMatchObject({ collected: [{ skipped: [] }], booked: [{ batchId: expect.anything() }] });
    const anchored = await stack.runJob('anchor');
    expect(Number((anchored as { size: number }).size)).toBeGreaterThan(25);
    const { ok, claims } = await checkBooks(stack.fsckOptions);
    expect(claims.filter((claim) => !claim.ok)).toEqual([]);
    expect(ok).toBe(true);
    // Nothing is left to do: both jobs are idempotent.
    expect(await stack.runJob('collect')).toMatchObject({ collected: [], booked: [] });
    expect(await stack.runJob('anchor')).toMatchObject({ nothingToDo: true });
  });
});

function fail(): never {
  throw new Error('there is no receipt');
}
