import type { PublicClient } from 'viem';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { priceBookAbi } from '../protocol/abi/price-book.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { provePriceRow, rootOfPrices, type ProvenPriceRow } from '../protocol/pricing/price-tree.ts';
import type { UsdConversion } from '../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { createRoundReader } from './check-prices.ts';
import { costOf } from './price-judge.ts';
import type { CheckedClaim } from './verification.ts';

/** What prices are verified against. */
export interface VerifyPriceOptions {
  client: PublicClient;
  contracts: { priceBook: Hex; priceOracle: Hex };
  /** Price tables, from anywhere: one is believed if it has the root that the receipt names. */
  tables: readonly (readonly PriceRow[])[];
}

/** What was found out. */
export interface PriceVerification {
  claims: CheckedClaim[];
  /** The row that the charge goes by, with its proof; absent if the table was not at hand. */
  price?: ProvenPriceRow;
}

/**
 * Verifies that the price table of a charge was published on the chain when the call was admitted, and that the charge is not
 * above price times usage.
 */
export async function verifyPrice(receipt: CallReceipt, options: VerifyPriceOptions): Promise<PriceVerification> {
  const { client, contracts, tables } = options;
  const admittedAt = BigInt(Math.floor(receipt.admittedAtMs / 1_000));
  const isPublished = await client.readContract({
    address: contracts.priceBook,
    abi: priceBookAbi,
    functionName: 'isInForce',
    args: [receipt.priceRoot, admittedAt],
  });
  const published: CheckedClaim = {
    name: 'prices_published',
    ok: isPublished,
    detail: isPublished
      ? `PriceBook ${contracts.priceBook} had the price table ${receipt.priceRoot} in force when the call was admitted`
      : `PriceBook ${contracts.priceBook} did not have the price table ${receipt.priceRoot} in force when the call was admitted`,
  };
  const rows = tables.find((table) => rootOfPrices(table) === receipt.priceRoot);
  if (rows === undefined) {
    const detail = `not checked: the price table ${receipt.priceRoot} is not at hand; give it with --prices`;
    return { claims: [published, { name: 'price', ok: null, detail }] };
  }

  const price = provePriceRow(rows, { model: receipt.modelAsked, token: receipt.token });
  const failed = (detail: string): PriceVerification => ({ claims: [published, { name: 'price', ok: false, detail }] });
  if (!price) return failed(`${receipt.modelAsked} in ${receipt.token} is in no row of the price table`);
  const conversion = price.row.inUsd ? await readConversion(receipt, options) : null;
  if (conversion === undefined) {
    return failed(`round ${receipt.oracleRound} was not the oracle's current one when the call was admitted`);
  }
  const cost = costOf(receipt, price.row, conversion);
  if (cost === undefined) return failed('the parts of its usage exceed the whole');
  const ok = receipt.amount <= cost;
  const cause = `what its tokens cost by row ${price.index} of the table, ${cost}`;
  const detail = `the charge of ${receipt.amount} is ${ok ? 'within' : 'above'} ${cause}`;
  return { claims: [published, { name: 'price', ok, detail }], price };
}

async function readConversion(
  receipt: CallReceipt,
  { client, contracts }: VerifyPriceOptions,
): Promise<UsdConversion | undefined> {
  const { token } = receipt;
  const decimals = await client.readContract({ address: token, abi: fiatTokenAbi, functionName: 'decimals' });
  return createRoundReader(client, { contracts, tokens: [{ address: token, decimals }] })(receipt);
}
