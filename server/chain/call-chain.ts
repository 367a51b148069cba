import { BaseError, decodeErrorResult, type Hex } from 'viem';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import { isHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Every custom error that a call to one of our contracts can bubble up. */
const contractErrors = [
  ...[...autoPayLlmAbi, ...paymentChannelsAbi, ...auditLogAbi, ...modelBudgetsAbi],
  ...[...priceBookAbi, ...priceOracleAbi, ...keyRegistryAbi, ...billingDisputesAbi],
  ...[...paymentDeskAbi, ...agptAbi],
].filter((entry) => entry.type === 'error');

/**
 * Runs one exchange with the chain and gives its failures our codes.
 * @param what what was tried, for the message, as in "reading channel 0x…".
 * @throws AutoPayError `transaction_reverted` with the contract's reason if the chain refused (facts `contractError`, of
 * an error of others its selector, and `contractErrorArguments`, separated by ", "), `chain_unavailable` if it could not be asked. The endpoint's address, which
 * may carry a key, is in no message.
 */
export async function callChain<T>(what: string, exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (cause) {
    if (cause instanceof AutoPayError) throw cause;
    const reason = revertReason(cause);
    if (reason !== undefined) {
      const { text, facts } = reason;
      throw new AutoPayError('transaction_reverted', `The chain refused ${what}: ${text}.`, { cause, facts });
    }
    const detail = cause instanceof BaseError ? cause.shortMessage.replace(/\.$/, '') : 'no answer';
    throw new AutoPayError(
      'chain_unavailable',
      `The chain could not be asked for ${what} (${detail}). Check that the endpoint of chain.rpcUrl is up, and try again.`,
      { cause },
    );
  }
}

interface RevertReason {
  text: string;
  facts: { contractError?: string; contractErrorArguments?: string };
}

/** The decoded reason of a revert; undefined if the failure was something else. */
function revertReason(cause: unknown): RevertReason | undefined {
  if (!(cause instanceof BaseError)) return undefined;
  const data = revertData(cause);
  if (data !== undefined && data !== '0x') return describeRevert(data);
  const reverted = cause.walk(
    (error) => error instanceof Error && /^(ExecutionReverted|ContractFunctionReverted)/.test(error.name),
  );
  if (reverted !== null) return { text: 'it reverted without a reason', facts: {} };
  // Of calls that may have so much gas only: code of strangers may burn all of it, and that is its answer.
  const isOut = cause.walk((error) => error instanceof Error && /out ?of ?gas/i.test(error.message)) !== null;
  return isOut ? { text: 'it ran out of gas', facts: { contractError: 'OutOfGas' } } : undefined;
}

/** Nodes put the returned bytes in `data`, or in `data.data`. */
function revertData(cause: BaseError): Hex | undefined {
  let found: Hex | undefined;
  cause.walk((error) => {
    const data = (error as { data?: unknown }).data;
    const raw = typeof data === 'object' && data !== null ? (data as { data?: unknown }).data : data;
    if (isHex(raw)) found = raw;
    return found !== undefined;
  });
  return found;
}

function describeRevert(data: Hex): RevertReason {
  try {
    const { errorName, args } = decodeErrorResult({ abi: contractErrors, data });
    const contractErrorArguments = (args ?? []).map(String).join(', ');
    const facts = { contractError: errorName, contractErrorArguments };
    return { text: `${errorName}(${contractErrorArguments})`, facts };
  } catch {
    const selector = data.slice(0, 10);
    return { text: `an error with the selector ${selector}`, facts: { contractError: selector } };
  }
}
