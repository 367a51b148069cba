import { expect, test } from 'vitest';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { fetchCatalogue } from './fetch-catalogue.ts';

const limits = { context_tokens: 128_000, max_output_tokens: 16_384, default_max_output_tokens: 4_096 };

function fetchWith(changes: object): Promise<unknown> {
  const model = { id: 'm', free: true, pricing: [], ...limits, ...changes };
  const answer = { data: [model], price_root: rootOfPrices([]), tokens: [] };
  return fetchCatalogue({ relayUrl: 'https://relay.example', fetch: () => Promise.resolve(Response.json(answer)) });
}

test('limits that no model has are no catalogue: no price root covers them', async () => {
  await expect(fetchWith({ context_tokens: 10_485_760 })).resolves.toMatchObject({ usdPrices: new Map() });
  for (const name of Object.keys(limits)) {
    await expect(fetchWith({ [name]: 9e15 }), name).rejects.toMatchObject({ code: 'invalid_configuration' });
  }
});
