import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/** How far releasing has come. */
export interface ReleasePosition {
  /** The first batch that has not had its turn; batches are numbered from 1. */
  nextBatch: number;
  /** A block that is not after its booking. */
  fromBlock: number;
  /** Batches before it that could not be released at their turn. */
  waiting: readonly WaitingBatch[];
}

/** A batch that waits, for its anchor as a rule. */
export interface WaitingBatch {
  batchId: number;
  /** The block of its booking. */
  block: number;
}

/** Under this key the ledger keeps the position. */
const stateKey = 'release.position';

/** Reads the position of the run before; the first one begins at the deployment. */
export async function readPosition(
  ledger: Pick<BackgroundLedger, 'getState'>,
  deployedAtBlock: number,
): Promise<ReleasePosition> {
  const text = await ledger.getState(stateKey);
  if (text === undefined) return { nextBatch: 1, fromBlock: deployedAtBlock, waiting: [] };
  const numbers = text.split(' ').map(Number);
  const [nextBatch = 0, fromBlock = 0, ...rest] = numbers;
  if (!numbers.every(Number.isSafeInteger) || nextBatch === 0 || rest.length % 2 !== 0) {
    throw new AutoPayError('internal_error', `The ledger's state value ${stateKey} cannot be read.`);
  }
  const waiting = rest.flatMap((batchId, index): WaitingBatch[] =>
    index % 2 === 0 ? [{ batchId, block: rest[index + 1] ?? 0 }] : [],
  );
  return { nextBatch, fromBlock, waiting };
}

/** Stores the position. */
export function writePosition(ledger: Pick<BackgroundLedger, 'setState'>, position: ReleasePosition): Promise<void> {
  const { nextBatch, fromBlock, waiting } = position;
  const numbers = [nextBatch, fromBlock, ...waiting.flatMap(({ batchId, block }) => [batchId, block])];
  return ledger.setState(stateKey, numbers.join(' '));
}
