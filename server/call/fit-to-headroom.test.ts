import { expect, test } from 'vitest';
import { countBody } from '../metering/count-body.ts';
import { makeAdmission, makeCallDeps, makePriceList, makeRequest, makeRoute, token } from './call-fixtures.ts';
import { fitToHeadroom } from './fit-to-headroom.ts';
import { prepareCall } from './prepare-call.ts';
import type { Router } from './router.ts';
import type { Deployment, Route } from './types.ts';

const router: Router = {
  run: () => {
    throw new Error('nothing is called here');
  },
};
const known: Deployment = { id: 'openai@eu', provider: 'openai', model: 'gpt-4o-mini' };
const unknown: Deployment = { id: 'groq@eu', provider: 'groq', model: 'llama-3.3-70b' };
const content = 'The quick brown fox jumps over the lazy dog. '.repeat(40);

/** A prompt token costs 1, an output token 2: see call-fixtures.ts. */
async function fit(route: Partial<Route>, headroom: bigint | null, asked: object = { max_tokens: 10 }) {
  const sold = makeRoute(route);
  const deps = makeCallDeps({ router, route: sold });
  const request = makeRequest({ model: 'small', messages: [{ role: 'user', content }], ...asked });
  const call = prepareCall(deps, request);
  const sale = makePriceList().termsFor(sold.prices ?? [], { token, atMs: 0 });
  const payment = makeAdmission();
  const [first] = await fitToHeadroom(deps, { call, request: { ...request, payment }, sale, headroom, atMs: 0 });
  const counted = (await countBody(request.body, ['gpt-4o'])) ?? NaN;
  return { first, bytes: request.body.length, counted };
}

test('what the bytes of a prompt do not let in, its tokens do', async () => {
  const { bytes, counted, first } = await fit({ deployments: [known] }, 600n);
  expect(counted).toBeLessThan(bytes / 3);
  expect(first.quote).toMatchObject({ promptTokens: counted + 64, outputTokens: 10, shrunk: false });
  expect(first.quote.amount).toBe(BigInt(counted + 64 + 20));
});

test('nothing is counted where the bytes fit, nor for a payment of what was quoted', async () => {
  const roomy = await fit({ deployments: [known] }, 10_000n);
  expect(roomy.first.quote.promptTokens).toBe(roomy.bytes + 64);
  const fixed = await fit({ deployments: [known] }, null);
  expect(fixed.first.quote.promptTokens).toBe(fixed.bytes + 64);
});

test('models whose tokenizer is not known keep the bytes', async () => {
  for (const deployments of [[unknown], [known, unknown]]) {
    const { bytes, first } = await fit({ deployments }, 600n);
    expect(first.quote.promptTokens).toBe(bytes + 64);
  }
});

test('who could not pay for any number of tokens is told the price by bytes', async () => {
  const { bytes, first } = await fit({ deployments: [known] }, 100n);
  expect(first.quote.promptTokens).toBe(bytes + 64);
});

test('without a limit of the client’s the output shrinks to what the counted prompt leaves', async () => {
  const { counted, first } = await fit({ deployments: [known] }, 1_200n, {});
  const left = (1_200 - counted - 64) / 2;
  expect(first.quote).toMatchObject({ promptTokens: counted + 64, outputTokens: Math.floor(left), shrunk: true });
});
