import { encodeFunctionData, isAddressEqual, parseEventLogs, type TransactionReceipt } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import type { JobLog } from '../chain/job-log.ts';
import { isReverted, type TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { findCoveringAnchor } from './find-covering-anchor.ts';
import { createBookingReader, type BookedSpend, type BookingReader, type ReleaseTerms } from './read-bookings.ts';
import { readPosition, writePosition, type ReleasePosition } from './release-position.ts';

/** What a release run works with. */
export interface ReleaseDeps {
  ledger: Pick<BackgroundLedger, 'getState' | 'setState' | 'findAnchorOf'>;
  queue: TransactionQueue;
  client: ChainClient;
  contracts: { autoPayLLM: Hex; auditLog: Hex };
  /** The first block that may hold a booking. */
  deployedAtBlock: number;
  log: JobLog;
  /** The most blocks that the endpoint takes in one log query. */
  maxBlocksPerQuery: number;
}

/** One batch that was released. */
export interface ReleasedResult {
  /** Decimal. */
  batchId: string;
  transactionHash: Hex;
  /** What became credits, atomic units, decimal. */
  amount: string;
}

/** What a run did. */
export interface ReleaseResult {
  released: ReleasedResult[];
  /** Batches old enough that wait all the same, for their anchor as a rule: the next run tries them again. */
  waiting: number;
  /** Unix seconds: until then the guardian lets nothing be released. */
  frozenUntil?: number;
  nothingToDo?: true;
}

/** Bounds one run; what is left waits for the next. */
const maxStepsPerRun = 500;
/** Beyond this many batches without an anchor, those behind them are not looked at before one is anchored. */
const maxWaiting = 100;

/**
 * Releases every booking whose dispute window is over, in the order of the batches: the providers get their credits, and the
 * bond is free for new bookings. Whoever booked them: anyone may release. The position is stored after each batch, a batch
 * is sent under the purpose `release:<batch>`, and the chain says which are released already, so a run that was killed
 * anywhere is taken up by the next and none is paid for twice.
 * @throws AutoPayError `chain_unavailable`; or of the first batch that was refused, once the others have had their turn.
 */
export async function runReleases(deps: ReleaseDeps): Promise<ReleaseResult> {
  const reader = createBookingReader(deps.client, deps.contracts.autoPayLLM);
  const position = await readPosition(deps.ledger, deps.deployedAtBlock);
  const run = new ReleaseRun({ deps, reader, terms: await reader.readTerms(), position });
  await run.releaseAll();
  return run.result();
}

/** Waits: for its anchor, or because the chain refused it for a reason of its own. */
type Outcome = 'done' | 'waits' | 'frozen';

class ReleaseRun {
  readonly #deps: ReleaseDeps;
  readonly #reader: BookingReader;
  readonly #terms: ReleaseTerms;
  readonly #released: ReleasedResult[] = [];
  #position: ReleasePosition;
  #frozenUntil = 0;
  #failure: AutoPayError | undefined;

  constructor(parts: { deps: ReleaseDeps; reader: BookingReader; terms: ReleaseTerms; position: ReleasePosition }) {
    const { deps, reader, terms, position } = parts;
    this.#deps = deps;
    this.#reader = reader;
    this.#terms = terms;
    this.#position = position;
    if (terms.frozenUntil > terms.now) this.#freeze(terms.frozenUntil);
  }

  result(): ReleaseResult {
    if (this.#failure !== undefined) throw this.#failure;
    return {
      released: this.#released,
      waiting: this.#position.waiting.length,
      ...(this.#frozenUntil === 0 ? {} : { frozenUntil: this.#frozenUntil }),
      ...(this.#released.length === 0 ? { nothingToDo: true as const } : {}),
    };
  }

  async releaseAll(): Promise<void> {
    await this.#retryWaiting();
    for (let step = 0; step < maxStepsPerRun && this.#frozenUntil === 0; step += 1) {
      if (!(await this.#takeNext())) return;
    }
  }

  async #retryWaiting(): Promise<void> {
    for (const { batchId, block } of this.#position.waiting) {
      if (this.#frozenUntil !== 0) return;
      const batch = await this.#reader.readBatch(batchId);
      if (!batch.released) {
        const booked = await this.#findSpends(batchId, block);
        if (booked === undefined) throw notShown(batchId);
        if ((await this.#release(batchId, batch.logSize, booked.spends)) !== 'done') continue;
      }
      const waiting = this.#position.waiting.filter((other) => other.batchId !== batchId);
      await this.#moveTo({ ...this.#position, waiting });
    }
  }

  /** Deals with the next batch, or with some of the blocks before it; false if it is not old enough, or not there yet. */
  async #takeNext(): Promise<boolean> {
    const { nextBatch, fromBlock, waiting } = this.#position;
    const batch = await this.#reader.readBatch(nextBatch);
    if (batch.spendsHash === zeroBytes32) return false;
    if (batch.bookedAt + this.#terms.disputeWindowSeconds > this.#terms.now) return false;
    const behind = { ...this.#position, nextBatch: nextBatch + 1 };
    if (batch.released) {
      await this.#moveTo(behind);
      return true;
    }
    const booked = await this.#findSpends(nextBatch, fromBlock);
    if (booked === undefined) {
      await this.#skipBlocks();
      return true;
    }
    const { block } = booked;
    const outcome = await this.#release(nextBatch, batch.logSize, booked.spends);
    if (outcome === 'frozen') return false;
    if (outcome === 'waits' && waiting.length >= maxWaiting) {
      this.#deps.log.warn({ batchId: nextBatch, waiting: waiting.length }, 'too many bookings wait for an anchor');
      return false;
    }
    const nowWaiting = outcome === 'waits' ? [...waiting, { batchId: nextBatch, block }] : waiting;
    await this.#moveTo({ ...behind, fromBlock: block, waiting: nowWaiting });
    return true;
  }

  async #skipBlocks(): Promise<void> {
    const { deployedAtBlock, maxBlocksPerQuery } = this.#deps;
    const fromBlock = this.#position.fromBlock + maxBlocksPerQuery;
    const isBeyond = fromBlock > this.#terms.newestBlock;
    await this.#moveTo({ ...this.#position, fromBlock: isBeyond ? deployedAtBlock : fromBlock });
    if (isBeyond) throw notShown(this.#position.nextBatch);
  }

  async #release(batchId: number, logSize: number, spends: readonly BookedSpend[]): Promise<Outcome> {
    const { contracts, queue, log } = this.#deps;
    // What is over budget waits for a vote, and needs no bond.
    if (!spends.some((spend) => spend.withinBudget)) return 'done';
    const anchor = await findCoveringAnchor({ ...this.#deps, auditLog: contracts.auditLog }, logSize);
    if (anchor === undefined) return 'waits';
    if (Number(anchor.anchoredAt) + this.#terms.disputeWindowSeconds > this.#terms.now) return 'waits';
    const args = [BigInt(batchId), [...spends], anchor] as const;
    const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'release', args });
    try {
      const receipt = await queue.send({ purpose: `release:${batchId}`, to: contracts.autoPayLLM, data });
      const amount = readReleased(receipt, contracts.autoPayLLM).toString();
      this.#released.push({ batchId: String(batchId), transactionHash: receipt.transactionHash, amount });
      log.info({ batchId, amount }, 'released a booking: its providers have their credits');
      return 'done';
    } catch (error) {
      if (!isReverted(error)) throw error;
      return this.#readRefusal(error);
    }
  }

  #readRefusal(error: AutoPayError): Outcome {
    const { contractError, contractErrorArguments } = error.facts;
    // Someone else was faster.
    if (contractError === 'AutoPayLLM_AlreadyReleased') return 'done';
    if (contractError === 'AutoPayLLM_Frozen') {
      this.#freeze(Number(contractErrorArguments));
      return 'frozen';
    }
    this.#failure ??= error;
    return 'waits';
  }

  #freeze(until: number): void {
    this.#frozenUntil = until;
    this.#deps.log.info({ until }, 'the guardian has stopped releases; they go on afterwards');
  }

  /** The spends of a batch, if it was booked in the blocks that one query covers. */
  #findSpends(batchId: number, from: number) {
    const to = Math.min(from + this.#deps.maxBlocksPerQuery - 1, this.#terms.newestBlock);
    return this.#reader.findSpends(batchId, { from, to });
  }

  async #moveTo(position: ReleasePosition): Promise<void> {
    await writePosition(this.#deps.ledger, position);
    this.#position = position;
  }
}

/** What the transaction turned into credits, from its own event. */
function readReleased(receipt: TransactionReceipt, autoPayLLM: Hex): bigint {
  const logs = receipt.logs.filter((log) => isAddressEqual(log.address, autoPayLLM));
  const event = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Released', logs })[0];
  if (event !== undefined) return event.args.amount;
  throw new AutoPayError(
    'transaction_failed',
    `Transaction ${receipt.transactionHash} released nothing. Check contracts.autoPayLLM.`,
  );
}

function notShown(batchId: number): AutoPayError {
  return new AutoPayError(
    'chain_unavailable',
    `The endpoint of chain.rpcUrl does not show the booking of batch ${batchId}. Use one that keeps all events since chain.deployedAtBlock.`,
  );
}
