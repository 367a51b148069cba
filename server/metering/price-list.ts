import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { atomicOfUsd, type Tariff, type UsdConversion } from '../../protocol/pricing/token-prices.ts';

/** A token that calls are paid in. */
export interface PricedToken {
  symbol: string;
  address: Hex;
  decimals: number;
  /** Whether its rows are in US dollars. */
  oracle: boolean;
  /** For a new channel: atomic units, or, with an oracle, US dollars with 8 decimals. */
  suggestedDeposit: bigint;
}

/** One round of a price feed: US dollars per whole token. */
export interface OraclePrice {
  /** Times 10^decimals; above zero. */
  answer: bigint;
  decimals: number;
  roundId: bigint;
  /** Unix seconds of the round. */
  updatedAt: number;
}

/** What the chain says of prices, as far as it is known here. */
export interface PriceSources {
  /** The price of a token at a time; undefined if none may be used. */
  oraclePrice(token: Hex, atMs: number): OraclePrice | undefined;
  /** Whether the published table is known to hold at a time. */
  isInForce(atMs: number): boolean;
}

/** What one call is sold at, from its admission to its charge. */
export interface SaleTerms extends Tariff {
  token: Hex;
  /** The round of the conversion; 0 if there is none. */
  oracleRound: bigint;
}

/** What the relay sells, and at what. */
export interface PriceList {
  /** Every row of the published table. */
  rows: readonly PriceRow[];
  /** Root of the table, which receipts name. */
  root: Hex;
  /** In the order in which they are offered. */
  tokens: readonly PricedToken[];
  /**
   * What a model is sold at, at a time.
   * @param rows the model's, one for each token
   * @throws AutoPayError `price_table_unpublished`, `channel_wrong_token`, `price_unavailable`
   */
  termsFor(rows: readonly PriceRow[], ask: { token: Hex; atMs: number }): SaleTerms;
  /** How US dollars become a token at a time; undefined if the token has no usable price, null if it needs none. */
  conversionOf(token: PricedToken, atMs: number): (UsdConversion & { round: OraclePrice }) | null | undefined;
  /** The deposit to suggest for a new channel, in atomic units; undefined while the token has no usable price. */
  depositIn(token: PricedToken, atMs: number): bigint | undefined;
}

/** Makes the price list of a configuration. */
export function createPriceList(options: {
  tokens: readonly PricedToken[];
  rows: readonly PriceRow[];
  sources: PriceSources;
}): PriceList {
  const { tokens, rows, sources } = options;
  const root = rootOfPrices(rows);
  const byAddress = new Map(tokens.map((token) => [token.address, token]));

  const conversionOf: PriceList['conversionOf'] = (token, atMs) => {
    if (!token.oracle) return null;
    const round = sources.oraclePrice(token.address, atMs);
    return round && { answer: round.answer, answerDecimals: round.decimals, tokenDecimals: token.decimals, round };
  };

  return {
    rows,
    root,
    tokens,
    termsFor(ofModel, { token, atMs }) {
      if (!sources.isInForce(atMs)) throw tableUnpublished(root);
      const row = ofModel.find((candidate) => candidate.token === token);
      const priced = byAddress.get(token);
      if (!row || !priced) throw wrongToken(token);
      const conversion = conversionOf(priced, atMs);
      if (conversion === undefined) throw priceUnavailable(priced);
      return { token, prices: row, conversion, oracleRound: conversion?.round.roundId ?? 0n };
    },
    conversionOf,
    depositIn(token, atMs) {
      const conversion = conversionOf(token, atMs);
      if (conversion === undefined) return undefined;
      return conversion === null ? token.suggestedDeposit : atomicOfUsd(token.suggestedDeposit, conversion);
    },
  };
}

/** Receipts must not name a table that is not in force: the chain takes them for fraud. */
function tableUnpublished(root: Hex): AutoPayError {
  return new AutoPayError(
    'price_table_unpublished',
    'The price table of this relay is not in force, or it has not heard from the chain for too long to know, so it sells ' +
      'nothing that costs. Try again soon; if this lasts, its operator has to publish the table by vote.',
    { facts: { priceRoot: root } },
  );
}

function wrongToken(token: Hex): AutoPayError {
  return new AutoPayError(
    'channel_wrong_token',
    'This channel holds a token that this relay does not take. Open one in a token of the challenges.',
    { facts: { token } },
  );
}

function priceUnavailable({ symbol, address }: PricedToken): AutoPayError {
  return new AutoPayError(
    'price_unavailable',
    `There is no current price of ${symbol} at the oracle, so calls cannot be paid in it. Pay in another token, or try again later.`,
    { facts: { token: address, symbol } },
  );
}
