import { describe, expect, it } from 'vitest';
import { estimateQuote, readChatCall } from './estimate-quote.ts';

const model = {
  id: 'm',
  free: false,
  contextTokens: 10_000,
  maxOutputTokens: 2_000,
  defaultMaxOutputTokens: 1_000,
};
const tariff = {
  conversion: null,
  prices: {
    prompt: 1_000_000n,
    cachedPrompt: 1n,
    cacheWrite: 3_000_000n,
    audioPrompt: 1n,
    completion: 2_000_000n,
    audioCompletion: 1n,
    request: 7n,
  },
};
const messages = [{ role: 'user', content: 'hi' }];

function quoteOf(request: Record<string, unknown>) {
  const body = Buffer.from(JSON.stringify({ model: 'm', messages, ...request }));
  const call = readChatCall(body);
  return call && { bytes: body.length, ...estimateQuote(call, { model, tariff }) };
}

describe('the quote', () => {
  it('is the worst case: bytes and overhead at the dearest prompt price, the output limit, the request', () => {
    const call = quoteOf({ max_tokens: 100 })!;
    expect(call.quote).toBe(BigInt(call.bytes + 64) * 3n + 200n + 7n);
    expect(call.minimum).toBe(call.quote);
  });

  it('takes the newer limit first, caps it, and counts every choice', () => {
    const base = BigInt(quoteOf({ max_completion_tokens: 50, max_tokens: 100 })!.bytes + 64) * 3n + 7n;
    expect(quoteOf({ max_completion_tokens: 50, max_tokens: 100 })!.quote).toBe(base + 100n);
    const many = quoteOf({ max_tokens: 9_999, n: 3 })!;
    expect(many.quote).toBe(BigInt(many.bytes + 64) * 3n + 3n * 4_000n + 7n);
  });

  it('may shrink to 256 tokens only where the client set no limit', () => {
    const call = quoteOf({})!;
    expect(call.quote - call.minimum).toBe(2n * (1_000n - 256n));
  });

  it('has no more than 32,768 output tokens where the client set no limit, whatever the relay says its default is', () => {
    const greedy = { ...model, maxOutputTokens: 9e15, defaultMaxOutputTokens: 9e15 };
    const bounds = { bodyBytes: 0, hasOnlyText: true, choices: 1 };
    const none = estimateQuote({ ...bounds, outputLimit: undefined }, { model: greedy, tariff });
    expect(none.quote).toBe(estimateQuote({ ...bounds, outputLimit: 32_768 }, { model: greedy, tariff }).quote);
    const more = estimateQuote({ ...bounds, outputLimit: 32_769 }, { model: greedy, tariff });
    expect(more.quote).toBeGreaterThan(none.quote);
  });

  it('is the whole context for what tokens do not bound', () => {
    const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.example/y.png' } }] }];
    expect(quoteOf({ messages: image, max_tokens: 1 })!.quote).toBe(30_000n + 2n + 7n);
    for (const message of [
      { role: 'assistant', audio: { id: 'a' } },
      { role: 'user', content: { type: 'text' } },
    ]) {
      expect(quoteOf({ messages: [message], max_tokens: 1 })!.quote).toBe(30_000n + 2n + 7n);
    }
    expect(quoteOf({ user: 'x'.repeat(20_000), max_tokens: 1 })!.quote).toBe(30_000n + 2n + 7n);
    const text = [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }];
    expect(quoteOf({ messages: text, max_tokens: 1 })!.quote).toBeLessThan(1_000n);
  });

  it('is left to the relay for what is no request', () => {
    for (const body of [
      '',
      '[]',
      '{"model":1,"messages":[]}',
      '{"model":"m"}',
      '{"model":"m","messages":[],"max_tokens":0}',
      '{"model":"m","messages":[],"n":1.5}',
    ]) {
      expect(readChatCall(Buffer.from(body)), body).toBeUndefined();
    }
    expect(readChatCall(Buffer.from([0x22, 0xff, 0x22]))).toBeUndefined();
  });
});
