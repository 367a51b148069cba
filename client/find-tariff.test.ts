import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { Catalogue, CatalogueModel } from './fetch-catalogue.ts';
import type { PayToken } from './fetch-relay-terms.ts';
import { createTariffFinder } from './find-tariff.ts';

const usdc: PayToken = { symbol: 'USDC', address: `0x${'c1'.repeat(20)}`, decimals: 6 };
const weth: PayToken = { symbol: 'WETH', address: `0x${'e1'.repeat(20)}`, decimals: 18 };
const prices = plainPrices(1n, 2n);
const rows: PriceRow[] = [
  { model: 'm', token: usdc.address, inUsd: false, ...prices },
  { model: 'm', token: weth.address, inUsd: true, ...prices },
];
const model: CatalogueModel = {
  answeredBy: [],
  ...{ id: 'm', free: false, contextTokens: 1, maxOutputTokens: 1, defaultMaxOutputTokens: 1, rows },
};
const catalogueAt = (roundId: bigint, answer = 5n): Catalogue => ({
  models: new Map([['m', model]]),
  priceRoot: `0x${'00'.repeat(32)}`,
  usdPrices: new Map([[weth.address, { roundId, answer, answerDecimals: 8 }]]),
});

/** The rounds that the chain has, with their answers; asked names what it was asked. */
let rounds: Map<bigint, bigint>;
let asked: { roundId: bigint; atSeconds: number }[];
let failure: Error | undefined;
const chain = {
  readRound: (_: Hex, named: { roundId: bigint; atSeconds: number }) => {
    asked.push(named);
    if (failure) return Promise.reject(failure);
    const answer = rounds.get(named.roundId);
    return Promise.resolve(answer === undefined ? undefined : { answer, answerDecimals: 8 });
  },
};
beforeEach(() => {
  rounds = new Map([[1n, 5n]]);
  asked = [];
  failure = undefined;
});

afterEach(() => void vi.useRealTimers());

describe('what a call costs', () => {
  it('is the row of the wallet’s token, without a conversion where it is in the token', async () => {
    const finder = createTariffFinder({ token: usdc, chain });
    expect(await finder.current(catalogueAt(1n), model)).toEqual({ prices: rows[0], conversion: null });
    expect(asked).toEqual([]);
    await expect(finder.current(catalogueAt(1n), { ...model, rows: [] })).rejects.toMatchObject({
      code: 'price_unavailable',
    });
  });

  it('is converted by the chain’s answer, whatever the relay says it was', async () => {
    const finder = createTariffFinder({ token: weth, chain });
    const conversion = { answer: 5n, answerDecimals: 8, tokenDecimals: 18 };
    expect(await finder.current(catalogueAt(1n, 1n), model)).toEqual({ prices: rows[1], conversion });
    await finder.current(catalogueAt(1n), model);
    expect(asked).toHaveLength(1);
  });

  it('is not converted for ever at a round that was current once', async () => {
    vi.useFakeTimers();
    const finder = createTariffFinder({ token: weth, chain });
    await finder.current(catalogueAt(1n), model);
    rounds.clear();
    vi.advanceTimersByTime(59_999);
    await finder.current(catalogueAt(1n), model);
    vi.advanceTimersByTime(1);
    await expect(finder.current(catalogueAt(1n), model)).rejects.toMatchObject({ code: 'verification_failed' });
    expect(asked).toHaveLength(2);
  });

  it('goes by the chain again for a round that came in between', async () => {
    rounds.set(2n, 6n);
    const finder = createTariffFinder({ token: weth, chain });
    for (const round of [1n, 2n, 1n, 1n]) await finder.current(catalogueAt(round), model);
    expect(asked.map(({ roundId }) => roundId)).toEqual([1n, 2n, 1n]);
  });

  it('is nothing that is signed for while the chain does not confirm the round, or the relay has none', async () => {
    const finder = createTariffFinder({ token: weth, chain });
    await expect(finder.current(catalogueAt(2n), model)).rejects.toMatchObject({ code: 'verification_failed' });
    await expect(finder.current({ ...catalogueAt(1n), usdPrices: new Map() }, model)).rejects.toMatchObject({
      code: 'price_unavailable',
    });
  });

  it('is what the relay says only where there is no chain to ask', async () => {
    const finder = createTariffFinder({ token: weth, chain: undefined });
    const tariff = await finder.current(catalogueAt(9n, 7n), model);
    expect(tariff.conversion).toMatchObject({ answer: 7n });
  });
});

describe('what a call did cost', () => {
  const named = { oracleRound: 1n, atMs: 1_999 };

  it('goes by the round that the receipt names, at the time of its admission', async () => {
    const finder = createTariffFinder({ token: weth, chain });
    expect((await finder.atRound(catalogueAt(4n), model, named))?.conversion).toMatchObject({ answer: 5n });
    expect(asked).toEqual([{ roundId: 1n, atSeconds: 1 }]);
    expect(await finder.atRound(catalogueAt(4n), model, { ...named, oracleRound: 2n })).toBeUndefined();
  });

  it('can be told without the chain only for rounds that were seen before', async () => {
    const finder = createTariffFinder({ token: weth, chain });
    await finder.current(catalogueAt(1n), model);
    failure = new AutoPayError('chain_unavailable', 'away');
    expect((await finder.atRound(catalogueAt(4n), model, named))?.conversion).toMatchObject({ answer: 5n });
    expect(await finder.atRound(catalogueAt(4n), model, { ...named, oracleRound: 2n })).toBeUndefined();
    const offline = createTariffFinder({ token: weth, chain: undefined });
    expect((await offline.atRound(catalogueAt(1n), model, named))?.conversion).toMatchObject({ answer: 5n });
    expect(await offline.atRound(catalogueAt(4n), model, { ...named, oracleRound: 2n })).toBeUndefined();
  });
});
