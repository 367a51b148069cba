import type { Worker } from 'node:worker_threads';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import {
  fromPlainError,
  type OperationCall,
  type OperationOutcome,
  type WriterData,
  type WriterMessage,
} from './messages.ts';
import type { ArgumentOf, OperationName, ResultOf } from './operations/create-operations.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';
import type { ChargeRequest } from './ledger.ts';
import { packCharge, unpackResult, type PackedResult } from './pack-charge.ts';
import { startThread } from './start-thread.ts';

/** The most operations that go as one message: with more to do, the writer begins while the rest is still being found. */
export const maxGroupSize = 8;
/** The most operations that wait; beyond it new reservations are refused as `overloaded`. */
export const maxQueuedReserves = 4_096;
/** Beyond this even charges are refused. It takes a broken disk to get here: calls in flight are bounded. */
export const maxQueuedOperations = 65_536;

/** How an operation is posted. */
export interface CallOptions {
  /** The chain that it is about; the home chain if omitted. */
  chainId?: number;
  /** For a reservation: called before its group is durable. */
  onDecided?: (decision: ReserveDecision) => void;
}

/** Posts operations that are about one chain. */
export interface ChainWriter {
  /** As `GroupWorker.call`. */
  call<N extends OperationName>(
    name: N,
    argument: ArgumentOf<N>,
    options?: Pick<CallOptions, 'onDecided'>,
  ): Promise<ResultOf<N>>;
}

interface Waiting extends OperationCall {
  onDecided: ((decision: ReserveDecision) => void) | undefined;
  resolve: (value: unknown) => void;
  reject: (error: AutoPayError) => void;
}

/**
 * The main thread's side of the writer. Operations of the same turn of the event loop go together as a group, or as several: neither
 * thread waits for the other while it has something to do. If the thread dies, everything that waits fails and `onFatal` is called,
 * once: the process MUST exit then, because decided calls may be lost.
 */
export class GroupWorker {
  readonly #worker: Worker;
  readonly #onFatal: (error: Error) => void;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #queue: Waiting[] = [];
  /** Posted, and not settled. */
  #inFlight: Waiting[] = [];
  #isScheduled = false;
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';

  /** @param script the thread's module; only tests give another than the writer's. */
  constructor(data: WriterData, onFatal: (error: Error) => void, script = new URL('./writer.ts', import.meta.url)) {
    this.#onFatal = onFatal;
    this.#worker = startThread(script, {
      name: 'ledger',
      workerData: data,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#worker.on('message', (message: WriterMessage) => this.#hear(message));
    this.#worker.on('error', (error) => this.#end(error instanceof Error ? error : new Error(String(error)), true));
    this.#worker.on('exit', (code) =>
      this.#end(new Error(`the ledger's writer thread ended with code ${code}`), code !== 0),
    );
  }

  /** Resolves when the file is open and migrated; rejects with why it cannot be. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /**
   * Posts one operation; resolves when its group is durable.
   * @throws AutoPayError what the operation throws; `overloaded` if too many wait; `internal_error` if the group or the
   * thread fails, or the ledger is closed.
   */
  call<N extends OperationName>(
    name: N,
    argument: ArgumentOf<N>,
    { chainId, onDecided }: CallOptions = {},
  ): Promise<ResultOf<N>> {
    if (this.#state !== 'open') return Promise.reject(new AutoPayError('internal_error', 'The ledger is closed.'));
    const limit = name === 'reserve' ? maxQueuedReserves : maxQueuedOperations;
    if (this.#inFlight.length + this.#queue.length >= limit) {
      return Promise.reject(
        new AutoPayError('overloaded', 'Too many calls wait for the ledger. Try again in a moment.'),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#queue.push({ ...(chainId !== undefined && { chainId }), name, argument, onDecided, resolve, reject });
    this.#schedule();
    return promise as Promise<ResultOf<N>>;
  }

  /** The writer of one chain; of the home chain without an id. */
  on(chainId: number): ChainWriter {
    return { call: (name, argument, options) => this.call(name, argument, { ...options, chainId }) };
  }

  /** Finishes what was posted, then closes the file and ends the thread. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#closeIfIdle();
    }
    await this.#ended.promise;
  }

  #schedule(): void {
    if (this.#queue.length >= maxGroupSize) return this.#post();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#post();
    });
  }

  #post(): void {
    if (this.#queue.length === 0) return;
    const group = this.#queue;
    this.#queue = [];
    try {
      const { calls, transferred } = packGroup(group);
      this.#worker.postMessage(calls, transferred);
    } catch (cause) {
      // The writer has none of it: as in flight, it would be told what becomes of others.
      const failure = new AutoPayError('internal_error', 'The ledger cannot be asked that.', { cause });
      for (const waiting of group) waiting.reject(failure);
      this.#closeIfIdle();
      return;
    }
    this.#inFlight.push(...group);
  }

  #hear(message: WriterMessage): void {
    switch (message.type) {
      case 'ready':
        this.#state = 'open';
        this.#ready.resolve();
        break;
      case 'unopened':
        this.#state = 'closing';
        this.#ready.reject(fromPlainError(message.error));
        break;
      case 'decided':
        for (const { index, decision } of message.decisions) this.#inFlight[index]?.onDecided?.(decision);
        break;
      case 'done':
        this.#settle(message.outcomes.length, (waiting, index) => settleOne(waiting, message.outcomes[index]));
        break;
      case 'failed':
        this.#settle(message.count, (waiting) => waiting.reject(fromPlainError(message.error)));
        break;
    }
  }

  #settle(count: number, settle: (waiting: Waiting, index: number) => void): void {
    this.#inFlight.splice(0, count).forEach(settle);
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#state === 'closing' && this.#queue.length === 0 && this.#inFlight.length === 0) {
      this.#worker.postMessage('close');
    }
  }

  #end(error: Error, isCrash: boolean): void {
    if (this.#state === 'closed') return;
    const isIdle = this.#queue.length === 0 && this.#inFlight.length === 0;
    const isExpected = this.#state === 'opening' || (this.#state === 'closing' && isIdle && !isCrash);
    this.#state = 'closed';
    this.#ready.reject(error); // no effect on a ledger that was open
    const lost = [...this.#inFlight, ...this.#queue];
    this.#inFlight = [];
    this.#queue = [];
    const failure = new AutoPayError('internal_error', 'The ledger stopped. Try again when the relay is back.', {
      cause: error,
    });
    for (const waiting of lost) waiting.reject(failure);
    this.#ended.resolve();
    if (!isExpected) this.#onFatal(error);
  }
}

function packGroup(group: readonly Waiting[]): { calls: OperationCall[]; transferred: ArrayBuffer[] } {
  const transferred: ArrayBuffer[] = [];
  const calls = group.map(({ chainId, name, argument }): OperationCall => {
    if (name !== 'charge') return chainId === undefined ? { name, argument } : { chainId, name, argument };
    const packed = packCharge(argument as ChargeRequest);
    if (packed.answer) transferred.push(packed.answer.body.buffer);
    return { ...(chainId !== undefined && { chainId }), name, argument: packed };
  });
  return { calls, transferred };
}

function unpackValue({ argument, name }: Waiting, value: unknown): unknown {
  return name === 'charge' ? unpackResult(argument as ChargeRequest, value as PackedResult) : value;
}

function settleOne(waiting: Waiting, outcome: OperationOutcome | undefined): void {
  if (outcome === undefined) waiting.reject(new AutoPayError('internal_error', 'The ledger gave no answer.'));
  else if (outcome.ok) waiting.resolve(unpackValue(waiting, outcome.value));
  else waiting.reject(fromPlainError(outcome.error));
}
