import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { priceRootOf } from '../server/config/list-prices.ts';
import { readPriceRows } from './read-prices.ts';

const usdc = `0x${'c1'.repeat(20)}`;
const agpt = `0x${'A9'.repeat(20)}`;
const routes = `
routes:
  - model: b
    deployments: [{ provider: p, model: b }]
    price: { prompt: "0.15", completion: "0.60", cachedPrompt: "0.0750" }
  - model: a
    deployments: [{ provider: p, model: a }]
    price: { prompt: "2", completion: "0", audioCompletion: "3.5", request: "0.000001" }
    cache: { ttlSeconds: 60, price: "0.000003" }
  - model: f
    free: true
    deployments: [{ provider: p, model: f }]
`;
const first = `{ symbol: USDC, address: "${usdc}", decimals: 6 }`;

it.each([
  ['one token', `tokens: [${first}]`],
  ['a rate', `tokens: [${first}, { symbol: AGPT, address: "${agpt}", decimals: 18, rate: "100" }]`],
  [
    'a rate that does not come out even',
    `tokens: [${first}, { symbol: X, address: "${agpt}", decimals: 2, rate: "0.3333" }]`,
  ],
  [
    'US dollars',
    `priceCurrency: USD\ntokens: [{ symbol: USDC, address: "${usdc}", decimals: 6, rate: "1.001" }, { symbol: WETH, address: "${agpt}", decimals: 18, oracle: true }]`,
  ],
])('reads the table that the relay publishes, by code of its own: %s', (_, tokens) => {
  const yaml = parse(`${tokens}\n${routes}`) as Record<string, unknown>;
  const { rows } = readPriceRows(yaml);
  expect(rows.map(({ model }) => model)).not.toContain('f');
  expect(rootOfPrices(rows)).toBe(priceRootOf(yaml));
});

it('says what is wrong with a file that has no prices', () => {
  expect(() => readPriceRows(parse(`tokens: [${first}]`) as Record<string, unknown>)).toThrow('a list is missing');
  const yaml = parse(`tokens: [${first}]\n${routes.replace('"0.15"', '"-1"')}`) as Record<string, unknown>;
  expect(() => readPriceRows(yaml)).toThrow('-1 is no decimal number');
});
