import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const slow = 'sim-small?tps=40&tokens=200';

let stack: TestStack;
let channelId: Hex;

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [slow] });
  channelId = await stack.payer.openChannel({ deposit: 1_000_000n });
});
afterAll(() => stack.stop());

async function booksAgree(): Promise<void> {
  const { ok, claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter((claim) => !claim.ok)).toEqual([]);
  expect(ok).toBe(true);
}

describe('kill -9 of the relay', { timeout: 120_000 }, () => {
  it('mid-stream: the client sees a cut, nothing is charged, and the books agree after a restart', async () => {
    const paid = await stack.payer.pay({ channelId, cumulativeAmount: 1_000n });
    expect(paid.status).toBe(200);
    await paid.text();

    const response = await stack.payer.pay({
      channelId,
      cumulativeAmount: 3_000n,
      body: chatBody({ model: slow, stream: true, max_tokens: 200 }),
    });
    expect(response.status).toBe(200);
    let text = '';
    await expect(
      (async () => {
        for await (const chunk of response.body ?? []) {
          text += Buffer.from(chunk as Uint8Array).toString();
          if (text.includes('"content"') && stack.isRelayRunning()) await stack.killRelay();
        }
      })(),
    ).rejects.toThrow();
    expect(text).not.toContain('[DONE]');
    expect(text).not.toContain('autopay-receipt');
    await booksAgree();

    await stack.startRelay();
    await booksAgree();
    // The crashed call's reservation is free again, and its voucher's headroom with it: a call for all of it is admitted.
    const again = await stack.payer.pay({ channelId, cumulativeAmount: 3_001n });
    expect(again.status).toBe(200);
    await again.text();
    await stack.runJob('collect');
    await stack.runJob('anchor');
    await booksAgree();
  });

  it('in the middle of collecting and anchoring: a restart finishes both, once', async () => {
    for (let round = 0; round < 4; round += 1) {
      const paid = await stack.payer.pay({ channelId, cumulativeAmount: 10_000n + BigInt(round) * 1_000n });
      expect(paid.status).toBe(200);
      await paid.text();
      const jobs = Promise.allSettled([stack.runJob('collect'), stack.runJob('anchor')]);
      await new Promise((resolve) => setTimeout(resolve, 20 * round));
      await stack.killRelay();
      await jobs;
      await stack.startRelay();
    }
    await stack.runJob('collect');
    await stack.runJob('anchor');
    await booksAgree();
    expect(await stack.runJob('collect')).toMatchObject({ collected: [], booked: [] });
  });
});
