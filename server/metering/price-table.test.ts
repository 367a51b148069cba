import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { TokenPrices } from '../../protocol/pricing/token-prices.ts';
import { buildPriceTable, encodeRow } from './price-table.ts';

const token = { address: `0x${'11'.repeat(20)}`, symbol: 'USDC', decimals: 6 } as const;
const prices: TokenPrices = {
  prompt: 150_000n,
  cachedPrompt: 75_000n,
  cacheWrite: 150_000n,
  audioPrompt: 150_000n,
  completion: 600_000n,
  audioCompletion: 600_000n,
  request: 1n,
};

function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

test('the root is the RFC 6962 hash over the rows’ JSON, sorted by name', () => {
  const models = ['b', 'c', 'a'].map((model) => ({ model, prices: model === 'c' ? null : prices }));
  const { root, rows } = buildPriceTable({ models, token });
  expect(rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  const [a, b, c] = rows.map((row) => sha256(Buffer.of(0), encodeRow(row)));
  if (!a || !b || !c) throw new Error('three rows were expected');
  const expected = sha256(Buffer.of(1), sha256(Buffer.of(1), a, b), c);
  expect(root).toBe(`0x${expected.toString('hex')}`);
  expect(buildPriceTable({ models: models.toReversed(), token }).root).toBe(root);
});

test('a row is the model’s prices in canonical JSON', () => {
  const { rows } = buildPriceTable({ models: [{ model: 'a', prices }], token });
  const [row] = rows;
  expect(row && encodeRow(row).toString('utf8')).toBe(
    `{"id":"a","pricing":{"audio_completion":"600000","audio_prompt":"150000","cache_write":"150000","cached_prompt":"75000",` +
      `"completion":"600000","decimals":6,"per_tokens":1000000,"prompt":"150000","request":"1","symbol":"USDC",` +
      `"token":"0x1111111111111111111111111111111111111111"}}`,
  );
});

test('another price is another root; free is a row of zeros', () => {
  const one = buildPriceTable({ models: [{ model: 'a', prices }], token });
  const other = buildPriceTable({ models: [{ model: 'a', prices: { ...prices, request: 2n } }], token });
  expect(other.root).not.toBe(one.root);
  expect(buildPriceTable({ models: [{ model: 'a', prices: null }], token }).rows[0]?.pricing).toMatchObject({
    prompt: '0',
    completion: '0',
    request: '0',
  });
});
