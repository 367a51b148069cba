import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { Tariff, UsdConversion } from '../protocol/pricing/token-prices.ts';
import { createBriefAsker } from './chain/ask-briefly.ts';
import type { Catalogue, CatalogueModel, ClaimedPrice } from './fetch-catalogue.ts';
import type { PayToken } from './fetch-relay-terms.ts';
import type { WalletChain } from './open-channel.ts';

/** Rounds that were seen are remembered, so that a receipt that names one can be checked without a chain. */
const maxRemembered = 64;
/** For so long a round is taken as current once the chain has said so; then it is asked again. */
const currentForMs = 60_000;

/** Finds out what calls cost in the wallet's token. */
export interface TariffFinder {
  /**
   * What a model costs now. A price in US dollars is that of the oracle's round which the relay names; with a chain, the
   * chain says what that round's answer was and that it is current.
   * @throws AutoPayError `price_unavailable` if the model cannot be paid in this token now, `verification_failed` if the
   *   relay names a round that the chain does not confirm
   */
  current(catalogue: Catalogue, model: CatalogueModel): Promise<Tariff>;
  /**
   * What a model cost at the round that a receipt names.
   * @param named.oracleRound 0 where there was no conversion
   * @returns undefined if there is no such row, or if that round was not current then
   */
  atRound(
    catalogue: Catalogue,
    model: CatalogueModel,
    named: { oracleRound: bigint; atMs: number },
  ): Promise<Tariff | undefined>;
}

/** Makes the finder of a wallet that pays in `token`. */
export function createTariffFinder(options: {
  token: PayToken;
  chain: Pick<WalletChain, 'readRound'> | undefined;
}): TariffFinder {
  const { token, chain } = options;
  /** By round: what is confirmed by the chain, or, without one, what the relay said. */
  const known = new Map<bigint, UsdConversion>();
  /** Where an answer waits. */
  const askBriefly = createBriefAsker();
  /** The round that the chain confirmed last as current, and when. */
  let confirmed: { roundId: bigint; atMs: number } | undefined;

  const rowOf = (model: CatalogueModel): PriceRow | undefined => model.rows.find((row) => row.token === token.address);

  /** Of a name that stands for others, the price of the dearest: it is what the call may cost. */
  function dearestOf({ models }: Catalogue, { answeredBy }: CatalogueModel): PriceRow | undefined {
    const rows = answeredBy.flatMap((name) => models.get(name) ?? []).flatMap((one) => rowOf(one) ?? []);
    return rows.reduce<PriceRow | undefined>(
      (most, row) => (!most || row.prompt + row.completion > most.prompt + most.completion ? row : most),
      undefined,
    );
  }

  function remember(roundId: bigint, { answer, answerDecimals }: Omit<ClaimedPrice, 'roundId'>): UsdConversion {
    const conversion = { answer, answerDecimals, tokenDecimals: token.decimals };
    known.set(roundId, conversion);
    const oldest = known.keys().next();
    if (known.size > maxRemembered && !oldest.done) known.delete(oldest.value);
    return conversion;
  }

  async function readRound(roundId: bigint, atMs: number): Promise<UsdConversion | undefined> {
    const round = await chain?.readRound(token.address, { roundId, atSeconds: Math.floor(atMs / 1_000) });
    return round && remember(roundId, round);
  }

  return {
    async current(catalogue, model) {
      const row = rowOf(model) ?? dearestOf(catalogue, model);
      if (!row) throw notPayable(model, token);
      if (!row.inUsd) return { prices: row, conversion: null };
      const claimed = catalogue.usdPrices.get(token.address);
      if (!claimed) throw notPayable(model, token);
      const { roundId } = claimed;
      const nowMs = Date.now();
      const isConfirmed = !chain || (confirmed?.roundId === roundId && nowMs - confirmed.atMs < currentForMs);
      const remembered = isConfirmed ? known.get(roundId) : undefined;
      if (remembered) return { prices: row, conversion: remembered };
      const conversion = chain ? await readRound(roundId, nowMs) : remember(roundId, claimed);
      if (chain) confirmed = conversion && { roundId, atMs: nowMs };
      if (conversion) return { prices: row, conversion };
      throw new AutoPayError(
        'verification_failed',
        `The relay converts to ${token.symbol} at round ${roundId}, which is not the oracle's current one. Nothing was signed. Try again.`,
      );
    },
    async atRound(catalogue, model, { oracleRound, atMs }) {
      const row = rowOf(model);
      if (!row) return undefined;
      if (!row.inUsd) return { prices: row, conversion: null };
      const claimed = catalogue.usdPrices.get(token.address);
      if (!chain && claimed && !known.has(claimed.roundId)) remember(claimed.roundId, claimed);
      // A chain that cannot be asked now must not cost the receipt: then what was confirmed before the call has to do.
      const conversion = chain
        ? await askBriefly(() => readRound(oracleRound, atMs)).catch(() => known.get(oracleRound))
        : known.get(oracleRound);
      return conversion && { prices: row, conversion };
    },
  };
}

function notPayable(model: CatalogueModel, token: PayToken): AutoPayError {
  return new AutoPayError(
    'price_unavailable',
    `The relay does not sell ${model.id} in ${token.symbol} now. Pay in another token, or try again later.`,
  );
}
