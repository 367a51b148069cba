import { expect, it } from 'vitest';
import { makePriceList, makeRoute, token, usdToken } from '../call/call-fixtures.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { fetchCatalogue } from '../../client/fetch-catalogue.ts';
import { describeModels } from './describe-models.ts';

const paid = makeRoute();
const free = makeRoute({ model: 'free', prices: null });
const answeredBy = ({ model }: { model: string }) => (model === 'small' ? ['free'] : []);
const routes = new Map([paid, free].map((route) => [route.model, route]));

it('shows every member of every row, so that anyone can compute the root', async () => {
  const prices = makePriceList();
  const answer = describeModels({ routes, prices, answeredBy, nowMs: () => 1_700_000_000_500 })();
  expect(answer.data).toMatchObject([
    {
      ...{ id: 'small', object: 'model', created: 1_700_000_000, free: false, answered_by: ['free'] },
      pricing: [
        { token, symbol: 'USDC', decimals: 6, in_usd: false, prompt: '1000000', request: '0' },
        { token: usdToken, symbol: 'WETH', decimals: 8, in_usd: true, prompt: '1000000', request: '0' },
      ],
    },
    { id: 'free', free: true, pricing: [] },
  ]);
  // By the wallet, which has nothing of this code.
  const send = () => Promise.resolve(Response.json(answer));
  const catalogue = await fetchCatalogue({ relayUrl: 'http://relay', fetch: send });
  expect(catalogue.priceRoot).toBe(rootOfPrices(paid.prices ?? []));
  expect(catalogue.models.get('small')?.rows).toEqual(paid.prices);
  const lying = () => Promise.resolve(Response.json({ ...answer, price_root: `0x${'00'.repeat(32)}` }));
  await expect(fetchCatalogue({ relayUrl: 'http://relay', fetch: lying })).rejects.toMatchObject({
    code: 'verification_failed',
  });
});

it('shows the rows of answers from the cache, under the name that they are sold by', async () => {
  const cache = { ttlMs: 1, scope: 'payer' as const, model: 'small@cache', prices: [] };
  const rows = (paid.prices ?? []).map((row) => ({ ...row, model: 'small@cache', prompt: 0n, request: 3n }));
  const sold = makeRoute({ cache: { ...cache, prices: rows } });
  const list = { ...makePriceList(), root: rootOfPrices([...(paid.prices ?? []), ...rows]) };
  const both = new Map([[sold.model, sold]]);
  const answer = describeModels({ routes: both, prices: list, answeredBy, nowMs: () => 1 })();
  expect(answer.data).toMatchObject([{ id: 'small' }, { id: 'small@cache', cache_of: 'small', answered_by: [] }]);
  const catalogue = await fetchCatalogue({
    relayUrl: 'http://relay',
    fetch: () => Promise.resolve(Response.json(answer)),
  });
  expect(catalogue.models.get('small@cache')?.rows).toEqual(rows);
});

it('tells the price of the moment of a token in US dollars, or that there is none', () => {
  const tokensOf = (prices: ReturnType<typeof makePriceList>) =>
    describeModels({ routes, prices, answeredBy, nowMs: () => 1 })().tokens;
  expect(tokensOf(makePriceList())).toEqual([
    { symbol: 'USDC', address: token, decimals: 6 },
    {
      ...{ symbol: 'WETH', address: usdToken, decimals: 8 },
      usd_price: { answer: '50000000', decimals: 8, round_id: '77', updated_at: 1 },
    },
  ]);
  expect(tokensOf(makePriceList({ round: undefined }))).toMatchObject([{ symbol: 'USDC' }, { usd_price: null }]);
});
