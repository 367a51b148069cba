import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';

/** A spend as it was booked (IAutoPayLLM.BookedSpend). */
export interface BookedSpend {
  day: number;
  model: Hex;
  provider: Hex;
  payout: Hex;
  amount: bigint;
  withinBudget: boolean;
}

/** An anchor as its event has it (IAuditLog.Anchor). */
export interface AnchorStruct {
  size: bigint;
  previousSize: bigint;
  anchoredAt: bigint;
  root: Hex;
  cid: Hex;
}

/** A booking with what its release needs. */
export interface Booking {
  batchId: bigint;
  token: Hex;
  spends: readonly BookedSpend[];
  /** The first anchor that covers the booking's log size; all zero if it needs none. */
  anchor: AnchorStruct;
  transactionHash: Hex;
}

const noAnchor: AnchorStruct = { size: 0n, previousSize: 0n, anchoredAt: 0n, root: zeroBytes32, cid: zeroBytes32 };

/**
 * Reads a booking from its event, and the anchor that covers it.
 * @throws AutoPayError `invalid_argument` if there is no such booking, or the log is not anchored that far yet.
 */
export async function readBooking(deployment: OpenDeployment, batchId: bigint): Promise<Booking> {
  const { autoPayLLM, auditLog } = deployment.contracts;
  const booked = await readEvents(deployment, { address: autoPayLLM, abi: autoPayLlmAbi, eventName: 'Booked' });
  const event = booked.find(({ args }) => args.batchId === batchId);
  if (!event) {
    throw new AutoPayError('invalid_argument', `There is no booking ${batchId}; the newest is ${booked.length}.`);
  }
  const { token, logSize, spends } = event.args;
  const anchor = logSize === 0n ? noAnchor : await findAnchor(deployment, { auditLog, logSize });
  return { batchId, token, spends, anchor, transactionHash: event.transactionHash };
}

async function findAnchor(
  deployment: OpenDeployment,
  { auditLog, logSize }: { auditLog: Hex; logSize: bigint },
): Promise<AnchorStruct> {
  const anchored = await readEvents(deployment, { address: auditLog, abi: auditLogAbi, eventName: 'Anchored' });
  const covering = anchored.find(({ args }) => args.previousSize < logSize && logSize <= args.size);
  if (covering) return covering.args;
  throw new AutoPayError(
    'invalid_argument',
    `The log is not anchored up to entry ${logSize} yet, which the booking waits for. Try again after the next anchor.`,
  );
}
