import { expect, test } from 'vitest';
import { directPayment, makeRequest, makeRoute, unpaid } from '../call-fixtures.ts';
import type { CallRequest } from '../types.ts';
import { cacheKeyOf } from './cache-key.ts';

const body = { model: 'small', messages: [] };
const route = makeRoute();
const chosen = { route, deployments: route.deployments };

function keyOf(request: CallRequest, options: Partial<Parameters<typeof cacheKeyOf>[0]> = {}) {
  return cacheKeyOf({ request, asked: { value: {} }, chosen, terms: { scope: 'payer' }, chainId: 31_337, ...options });
}

test('the same request of the same payer has the same key', () => {
  expect(keyOf(makeRequest(body))).toBe(keyOf(makeRequest(body)));
});

const other = { id: 'other@x', provider: 'other', model: 'm' };
test.each([
  ['another body', keyOf(makeRequest({ ...body, seed: 1 }))],
  ['another channel', keyOf(makeRequest(body, { idempotencyScope: 'other' }))],
  ['the same payer on another chain', keyOf(makeRequest(body), { chainId: 8453 })],
  ['another way to pay', keyOf(makeRequest(body, directPayment()))],
  ['another endpoint', keyOf(makeRequest(body, {}, { path: '/v1/completions' }))],
  ['another beta', keyOf(makeRequest(body, {}, { headers: { 'anthropic-beta': 'x' } }))],
  ['another route', keyOf(makeRequest(body), { chosen: { ...chosen, route: makeRoute({ model: 'b' }) } })],
  ['another deployment', keyOf(makeRequest(body), { chosen: { ...chosen, deployments: [other] } })],
  ['all payers', keyOf(makeRequest(body), { terms: { scope: 'shared' } })],
])('%s has another key', (_, key) => {
  expect(key).not.toBeNull();
  expect(key).not.toBe(keyOf(makeRequest(body)));
});

test('shared, payers have one key; by payer, nobody who is not known has any', () => {
  const terms = { scope: 'shared' } as const;
  expect(keyOf(makeRequest(body, directPayment()), { terms })).toBe(keyOf(makeRequest(body), { terms }));
  expect(keyOf(makeRequest(body), { terms, chainId: 8453 })).toBe(keyOf(makeRequest(body), { terms }));
  expect(keyOf(makeRequest(body, { idempotencyScope: null }))).toBeNull();
  expect(keyOf(makeRequest(body, unpaid), { terms })).toBeNull();
  expect(keyOf(makeRequest(body), { asked: { value: { store: true } } })).toBeNull();
});
