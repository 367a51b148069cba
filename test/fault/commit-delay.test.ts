import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const commitDelayMs = 500;
/** Answers so late that a call's reservation is committed by itself: one that may wait would share the commit of its charge. */
const late = 'sim-small?latency=100';

let stack: TestStack;
let channelId: Hex;
let nextCumulative = 0n;

beforeAll(async () => {
  stack = await startTestStack({
    extraRoutes: [late],
    relayEnv: { AUTOPAY_TEST_COMMIT_DELAY_MS: String(commitDelayMs) },
  });
  channelId = await stack.payer.openChannel({ deposit: 1_000_000n });
  // Makes the channel known to the relay: from now on a call waits for its own two commits and no other.
  await timeline({});
});
afterAll(() => stack.stop());

/** When each part of the answer to a paid call arrived, in milliseconds after the request was sent. */
async function timeline(fields: Record<string, unknown>) {
  nextCumulative += 1_000n;
  const challenge = await stack.payer.challenge();
  const startMs = performance.now();
  const response = await stack.payer.pay({
    channelId,
    cumulativeAmount: nextCumulative,
    challenge,
    body: chatBody(fields),
  });
  const headersMs = performance.now() - startMs;
  const parts: { text: string; atMs: number }[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parts.push({ text: decoder.decode(chunk as Uint8Array, { stream: true }), atMs: performance.now() - startMs });
  }
  return { status: response.status, headersMs, parts };
}

// Every commit takes at least `commitDelayMs`, so a time says which commits an answer has waited for: the reservation
// is durable after one, the charge after two.
describe('with a commit that takes 500 ms', { timeout: 60_000 }, () => {
  it('sends no byte of a stream before the reservation is durable, and no [DONE] before the charge is', async () => {
    const { status, headersMs, parts } = await timeline({ stream: true });
    expect(status).toBe(200);
    expect(headersMs).toBeGreaterThanOrEqual(commitDelayMs);
    const first = parts.find(({ text }) => text.includes('"content"'));
    const done = parts.find(({ text }) => text.includes('[DONE]'));
    const receipt = parts.find(({ text }) => text.includes(': autopay-receipt '));
    expect(done?.atMs).toBeGreaterThanOrEqual(2 * commitDelayMs);
    expect(receipt?.atMs).toBeGreaterThanOrEqual(2 * commitDelayMs);
    // The words themselves did not wait for the charge.
    expect(first?.atMs).toBeLessThan((done?.atMs ?? 0) - commitDelayMs / 2);
  });

  it('sends the last byte of a JSON answer only after the charge is durable', async () => {
    const { status, headersMs, parts } = await timeline({ model: late });
    expect(status).toBe(200);
    expect(headersMs).toBeGreaterThanOrEqual(2 * commitDelayMs);
    expect(parts.at(-1)?.atMs).toBeGreaterThanOrEqual(2 * commitDelayMs);
  });
});
