import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { someSecret, startReceiver, type TestReceiver } from '../../server/webhooks/webhook-fixture.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/*
 * An answer from the cache on a whole stack: bought by an unmodified OpenAI client, told to a webhook, collected, booked and checked.
 */

const secret = someSecret();
/** 0.001 USDC. */
const cachePrice = 1_000n;
let stack: TestStack;
let receiver: TestReceiver;

beforeAll(async () => {
  receiver = await startReceiver();
  stack = await startTestStack({
    relayEnv: { RECEIPTS_SECRET: secret },
    config: {
      webhooks: [{ url: receiver.url, secretEnv: 'RECEIPTS_SECRET' }],
      routes: [
        {
          model: 'sim-small',
          deployments: [{ provider: 'simulated', model: 'sim-small', region: 'local' }],
          price: { prompt: '150', completion: '600' },
          cache: { ttlSeconds: 600, price: '0.001' },
        },
      ],
    },
  });
});
afterAll(async () => {
  await stack?.stop();
  await receiver.close();
});

it('is sold at its own price, and every check agrees with its receipt', async () => {
  const receipts: StoredReceipt[] = [];
  const warnings: string[] = [];
  const fetch = createPayFetch({
    ...stack.payFetchOptions,
    onReceipt: (receipt) => void receipts.push(receipt),
    onWarning: (message) => void warnings.push(message),
  });
  const openai = new OpenAI({
    baseURL: `${stack.payFetchOptions.relayUrl}/v1`,
    apiKey: 'unused',
    fetch,
    maxRetries: 0,
  });
  const ask = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'Say hello.' }], max_tokens: 20 };
  const answers = [];
  for (let count = 0; count < 2; count += 1) {
    const { data, response } = await openai.chat.completions.create(ask).withResponse();
    answers.push({ text: data.choices[0]?.message.content, cache: response.headers.get('x-autopay-cache') });
  }
  expect(answers.map(({ cache }) => cache)).toEqual(['miss', 'hit']);
  expect(answers[1]?.text).toBe(answers[0]?.text);

  // By the wallet, which knows the price table.
  expect([receipts.flatMap(({ problems }) => problems), warnings]).toEqual([[], []]);
  const [first, again] = receipts.map(({ receipt }) => decodeReceipt(decodeSignedReceipt(receipt).entry));
  expect(first).toMatchObject({ modelAsked: 'sim-small', provider: 'simulated', sequence: 1 });
  expect(again).toMatchObject({ modelAsked: 'sim-small@cache', provider: 'cache', sequence: 2, amount: cachePrice });

  // By the chain, which pays the provider `cache`, and by the checker.
  expect(await stack.runJob('collect')).toMatchObject({ booked: [{ overBudget: [] }] });
  await stack.runJob('anchor');
  const { ok, claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter((claim) => !claim.ok)).toEqual([]);
  expect(ok).toBe(true);

  // By a receiver that knows nothing of this project but its address.
  await receiver.sawAtLeast(2);
  const { chainId, contracts } = stack.stack;
  const told = receiver.received.map(({ body, headers }) => {
    return new Webhook(secret).verify(body, headers as Record<string, string>) as { data: { signedReceipt: string } };
  });
  const scope = { chainId, verifyingContract: contracts.autoPayLLM };
  const checked = told.map(({ data }) =>
    verifySignedReceipt(decodeSignedReceipt(data.signedReceipt), { scope, signer: stack.relayAddress }),
  );
  expect(checked.map(({ modelAsked }) => modelAsked).sort()).toEqual(['sim-small', 'sim-small@cache']);
});
