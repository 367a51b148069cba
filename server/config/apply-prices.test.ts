import { expect, test } from 'vitest';
import { applyPrices } from './apply-prices.ts';
import { priceFileSchema } from './config-schema.ts';
import type { ConfigIssue } from './report-issues.ts';

const price = { prompt: '1', completion: '2' };
function apply(prices: object, routes: object[]) {
  const issues: ConfigIssue[] = [];
  const tokens = [{ symbol: 'USDC', address: `0x${'4'.repeat(40)}`, decimals: 6 }];
  const file = priceFileSchema.parse({ tokens, prices, routes });
  return { routes: applyPrices(file, issues).routes, issues };
}

test('gives routes the price that is said apart, or makes them free', () => {
  const { routes, issues } = apply({ a: price, b: { free: true } }, [{ model: 'a' }, { model: 'b' }, { model: 'c' }]);
  expect(routes).toMatchObject([{ price }, { free: true }, { free: false }]);
  expect(issues).toEqual([]);
});

test('a price for no route, and one that is said twice, are faults', () => {
  const { issues } = apply({ gpt4o: price, b: price }, [{ model: 'gpt-4o' }, { model: 'b', price }]);
  expect(issues.map(({ path, message }) => `${path.join('.')} ${message}`)).toEqual([
    'prices.gpt4o is no route; did you mean "gpt-4o"?',
    'prices.b is said at the route already; remove one of them',
  ]);
});

test('a route may be named like a member of every object', () => {
  expect(apply({}, [{ model: 'constructor', price }]).routes[0]?.price).toMatchObject(price);
});
