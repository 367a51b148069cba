import { larger, smaller } from '../../protocol/bytes/compare-amounts.ts';
/** What a transaction offers for a unit of gas, in wei (EIP-1559). */
export interface Fees {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

/** What the market asks, and what we are ready to pay, wei per gas. */
export interface FeeMarket {
  baseFee: bigint;
  priorityFee: bigint;
  /** `maxFeePerGas` is never above this. */
  cap: bigint;
}

/** The base fee doubles in six full blocks at most: until then the transaction stays in the race. */
const baseFeeMultiple = 2n;

/** Fees of a new transaction; undefined while the base fee is above the cap. */
export function chooseFees({ baseFee, priorityFee, cap }: FeeMarket): Fees | undefined {
  if (baseFee > cap) return undefined;
  const maxFeePerGas = smaller(baseFee * baseFeeMultiple + priorityFee, cap);
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(priorityFee, maxFeePerGas) };
}

/**
 * Fees by which a transaction replaces an earlier one with the same nonce: both an eighth higher at least (nodes ask for a
 * tenth), or what the market asks, if that is more. Undefined where the cap leaves no room for it.
 */
export function raiseFees(earlier: Fees, { baseFee, priorityFee, cap }: FeeMarket): Fees | undefined {
  const least = anEighthMore(earlier.maxFeePerGas);
  if (least > cap) return undefined;
  const maxFeePerGas = smaller(larger(least, baseFee * baseFeeMultiple + priorityFee), cap);
  const tip = larger(anEighthMore(earlier.maxPriorityFeePerGas), priorityFee);
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(tip, maxFeePerGas) };
}

function anEighthMore(fee: bigint): bigint {
  return fee + fee / 8n + 1n;
}
