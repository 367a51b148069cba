import { expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import { parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(40)}`;
const contracts = [
  'paymentChannels',
  'autoPayLLM',
  'auditLog',
  'modelBudgets',
  'priceBook',
  'priceOracle',
  'keyRegistry',
]
  .concat(['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'])
  .map((name) => `${name}: "${address('3')}"`)
  .join(', ');

function file({ route, provider = 'p', model = 'm' }: { route: string; provider?: string; model?: string }): string {
  return [
    'chain: { id: 31337, rpcUrl: "http://127.0.0.1:8545", deployedAtBlock: 1 }',
    `contracts: { ${contracts} }`,
    `tokens: [{ symbol: USDC, address: "${address('4')}", decimals: 6 }, { symbol: AGPT, address: "${address('5')}", decimals: 18, rate: "100" }]`,
    `providers: [{ name: ${provider}, baseUrl: "http://127.0.0.1:1/v1" }]`,
    `routes: [{ model: "${model}", deployments: [{ provider: ${provider}, model: m }], ${route} }, { model: "n@cache", free: true, deployments: [{ provider: ${provider}, model: m }] }]`,
  ].join('\n');
}

function faultOf(text: string): string {
  try {
    parseConfig(text, 'autopay.yaml');
  } catch (error) {
    if (error instanceof AutoPayError) return error.message;
  }
  return 'none';
}

const price = 'price: { prompt: "1", completion: "2" }';

test('a cached answer costs the same in every token, whatever its own tokens', () => {
  const { routes } = parseConfig(file({ route: `${price}, cache: { ttlSeconds: 60, price: "0.0001" }` }), 'a');
  const cache = routes[0]?.cache;
  expect(cache).toMatchObject({ ttlMs: 60_000, scope: 'payer', model: 'm@cache' });
  const none = plainPrices(0n);
  expect(cache?.prices).toMatchObject([
    { model: 'm@cache', token: address('4'), inUsd: false, ...none, request: 100n },
    { model: 'm@cache', token: address('5'), ...none, request: 10n ** 16n },
  ]);
  expect(routes[1]?.cache).toBeNull();
});

const cache = 'cache: { ttlSeconds: 60, price: "0.1" }';
test.each([
  ['is for routes that cost', file({ route: `free: true, ${cache}` })],
  ['needs a model of 122 bytes at most', file({ route: `${price}, ${cache}`, model: 'm'.repeat(123) })],
  ['which is the model of another route', file({ route: `${price}, ${cache}`, model: 'n' })],
  ['rename the provider of that name', file({ route: `${price}, ${cache}`, provider: 'cache' })],
  ['price', file({ route: `${price}, cache: { ttlSeconds: 60 }` })],
  ['cache.price is zero', file({ route: `${price}, cache: { ttlSeconds: 60, price: "0.00" }` })],
])('it is refused: %s', (fault, text) => {
  expect(faultOf(text)).toContain(fault);
});
