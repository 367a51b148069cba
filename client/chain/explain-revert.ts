import { decodeErrorResult, isHex, type Abi, type AbiParameter, type BaseError } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { TokenUnit } from '../token-amount.ts';
import { describeDisputeError } from './describe-dispute-error.ts';
import { knownContracts } from './known-contracts.ts';

/** The errors of all contracts: what one calls may fail in another. */
const errorsAbi: Abi = Object.values(knownContracts).flatMap(({ abi }) => abi.filter(({ type }) => type === 'error'));

/**
 * What a revert says: the contract's error with its arguments by name, after what it means where that is known; or the
 * words of the node.
 * @param unit of the amounts in the error, if they are of one token.
 */
export function explainRevert(error: BaseError, unit?: TokenUnit): string {
  const data = revertDataOf(error);
  const name = data === undefined ? undefined : decodeRevert(data);
  if (data === undefined || name === undefined) return error.shortMessage;
  const meaning = describeDisputeError(data, unit);
  return meaning === undefined ? name : `${meaning} (${name})`;
}

/** Whether a revert is an error of the contract whose errors begin with `<prefix>_`. */
export function isRevertOf(error: BaseError, prefix: string): boolean {
  const data = revertDataOf(error);
  return data !== undefined && decodeRevert(data)?.startsWith(`${prefix}_`) === true;
}

/** `Error(name: value, …)` of revert data; undefined if no contract of ours has such an error. */
export function decodeRevert(data: Hex): string | undefined {
  let decoded;
  try {
    decoded = decodeErrorResult({ abi: errorsAbi, data });
  } catch {
    return undefined;
  }
  const { errorName, abiItem } = decoded;
  const args: readonly unknown[] = decoded.args ?? [];
  if (errorName === 'Error') return String(args[0]);
  const inputs: readonly AbiParameter[] = 'inputs' in abiItem ? abiItem.inputs : [];
  const words = args.map((value, i) => `${inputs[i]?.name ?? i}: ${String(value)}`);
  return `${errorName}(${words.join(', ')})`;
}

/** Nodes put revert data at different depths; viem keeps it as `data` of one of the causes, or as an object around it. */
function revertDataOf(error: BaseError): Hex | undefined {
  let found: Hex | undefined;
  error.walk((cause) => {
    const data: unknown = typeof cause === 'object' && cause !== null && 'data' in cause ? cause.data : undefined;
    const inner: unknown = typeof data === 'object' && data !== null && 'data' in data ? data.data : data;
    if (isHex(inner) && inner.length >= 10) found ??= inner;
    return false;
  });
  return found;
}
