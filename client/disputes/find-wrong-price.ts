import type { Hex } from '../../protocol/bytes/hex.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { provePriceRow, rootOfPrices, type ProvenPriceRow } from '../../protocol/pricing/price-tree.ts';
import { costOfUsage, type UsdConversion } from '../../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { findingOf, type Finding, type HeldReceipt } from './held-receipt.ts';

/** What the chain and a published table can say of a charge. */
export interface PriceFacts {
  /** Whether PriceBook had a table in force; undefined if the chain was not asked. */
  isInForce(priceRoot: Hex, atSeconds: number): Promise<boolean | undefined>;
  /** The rows of a table, which have this root; undefined if they are not at hand. */
  rowsOf(priceRoot: Hex): Promise<readonly PriceRow[] | undefined>;
  /** A conversion by a round of the oracle; undefined if that was not the current round; null if it could not be asked. */
  readConversion(token: Hex, round: { roundId: bigint; atSeconds: number }): Promise<UsdConversion | undefined | null>;
}

/** How a charge stands to the published prices. */
export type PriceJudgement = { finding: Finding } | { unjudged: string } | 'fits';

/**
 * Holds a charge against the published prices, as BillingDisputes does. Less than the cost is right: a reservation may have
 * capped it. What cannot be known is no finding.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function judgePrice(held: HeldReceipt, facts: PriceFacts): Promise<PriceJudgement> {
  const { amount, priceRoot, admittedAtMs, token, oracleRound, modelAsked, callId } = held.receipt;
  if (amount === 0n) return 'fits';
  const atSeconds = Math.floor(admittedAtMs / 1_000);
  if ((await facts.isInForce(priceRoot, atSeconds)) === false) return { finding: describeUnpublished(held) };
  const rows = await facts.rowsOf(priceRoot);
  const proven = rows && proveRow(rows, { priceRoot, model: modelAsked, token });
  if (!proven) return { unjudged: `call ${callId}: the price table ${priceRoot} with ${modelAsked} is not at hand` };
  const conversion = proven.row.inUsd ? await facts.readConversion(token, { roundId: oracleRound, atSeconds }) : null;
  if (proven.row.inUsd && conversion === null)
    return { unjudged: `call ${callId}: the oracle could not be asked for round ${oracleRound}` };
  const finding = findOvercharge(held, { proven, conversion });
  return finding ? { finding } : 'fits';
}

/** What was computed of a table: hashing all of it for each receipt would take longer than all else. */
const knownTables = new WeakMap<readonly PriceRow[], { root: Hex; proven: Map<string, ProvenPriceRow | undefined> }>();

/** The row of a table that has this root; undefined if it has another, or no such row. */
function proveRow(
  rows: readonly PriceRow[],
  { priceRoot, model, token }: { priceRoot: Hex; model: string; token: Hex },
): ProvenPriceRow | undefined {
  const table = knownTables.get(rows) ?? { root: rootOfPrices(rows), proven: new Map<string, ProvenPriceRow>() };
  knownTables.set(rows, table);
  if (table.root !== priceRoot) return undefined;
  const key = `${token}:${model}`;
  if (!table.proven.has(key)) table.proven.set(key, provePriceRow(rows, { model, token }));
  return table.proven.get(key);
}

/** What a charge is held against. */
interface PriceOfCall {
  /** Row of the receipt's model and token in the table that the receipt names, with its proof. */
  proven: ProvenPriceRow;
  /** Of the receipt's oracle round: undefined if that was not the current one when the call was admitted; null without one. */
  conversion: UsdConversion | undefined | null;
}

function findOvercharge(held: HeldReceipt, { proven, conversion }: PriceOfCall): Finding | undefined {
  const { index, size, row, path } = proven;
  const { reason, excess } = judge(held.receipt, { proven, conversion });
  if (excess <= 0n) return undefined;
  const struct = { row, index: BigInt(index), size: BigInt(size), path };
  return findingOf({ kind: 'overcharge', receipt: held.struct, proven: struct }, held, reason);
}

function judge(
  receipt: CallReceipt,
  { proven: { row, index }, conversion }: PriceOfCall,
): { reason: string; excess: bigint } {
  const { amount, usage, oracleRound } = receipt;
  if (conversion === undefined) {
    const reason = `${amount} atomic units were charged by the oracle's round ${oracleRound}, which was not the current one`;
    return { reason, excess: amount };
  }
  try {
    const cost = costOfUsage(usage, { prices: row, conversion });
    const tokens = `${usage.prompt} + ${usage.completion} tokens`;
    const reason = `${amount} atomic units were charged for ${tokens}, which cost ${cost} by row ${index} of the published prices`;
    return { reason, excess: amount - cost };
  } catch {
    return { reason: `${amount} atomic units were charged for a usage whose parts exceed the whole`, excess: amount };
  }
}

function describeUnpublished(held: HeldReceipt): Finding {
  const { amount, priceRoot } = held.receipt;
  const reason = `${amount} atomic units were charged by the price table ${priceRoot}, which was not in force on the chain when the call was admitted`;
  return findingOf({ kind: 'unpublished-prices', receipt: held.struct }, held, reason);
}

/** What a receipt says of the call that is not what the wallet asked or got (check-receipt.ts). */
const deliveryProblem = /^it (?:commits to another (?:request|answer)|is for model )/;

/**
 * The finding that a receipt is about something else than what was asked and delivered. No contract can see what a wallet got:
 * the governance rules, and the claim is for the whole amount.
 */
export function findWrongDelivery(held: HeldReceipt): Finding | undefined {
  const { amount } = held.receipt;
  const problem = held.problems.find((one) => deliveryProblem.test(one));
  if (problem === undefined || amount === 0n) return undefined;
  const reason = `a receipt over ${amount} atomic units does not fit what was asked and delivered: ${problem}`;
  return findingOf({ kind: 'metering', receipt: held.struct, amount }, held, reason);
}
