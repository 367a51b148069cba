import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import type { OperationName } from './operations/create-operations.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';

/** What the writer thread is started with. */
export interface WriterData {
  file: string;
  /** Of each chain: the home chain first. */
  receiptScopes: readonly TypedDataScope[];
  receiptKey: Uint8Array;
  commitDelayMs: number;
}

/** One operation of a group. */
export interface OperationCall {
  /** The chain that it is about; the home chain if omitted. */
  chainId?: number;
  name: OperationName;
  argument: unknown;
}

/** An error as it crosses the thread border, where classes are lost. */
export interface PlainError {
  code: ErrorCode;
  message: string;
  facts: Readonly<Record<string, string | number | boolean | null>>;
  /** For the log: the stack of an error that is none of ours. */
  detail: string | null;
}

/** A reservation that is decided and not yet durable. */
export interface Decision {
  /** The operation's place in its transaction. */
  index: number;
  decision: ReserveDecision;
}

/** How one operation of a group ended. */
export type OperationOutcome = { ok: true; value: unknown } | { ok: false; error: PlainError };

/**
 * What the writer says. Each of `decided`, `done` and `failed` speaks of one transaction: of those operations that were posted first of
 * all whose end has not been told. `index` counts from the first of them.
 */
export type WriterMessage =
  | { type: 'ready' }
  | { type: 'unopened'; error: PlainError }
  | { type: 'decided'; decisions: readonly Decision[] }
  | { type: 'done'; outcomes: readonly OperationOutcome[] }
  /** `count` operations were undone. */
  | { type: 'failed'; count: number; error: PlainError };

/** Flattens an error for a message. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof AutoPayError) {
    const { code, message, facts } = error;
    return { code, message, facts, detail: null };
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal_error', message: 'The ledger failed. Try again; the log says why.', facts: {}, detail };
}

/** The error that `toPlainError` flattened; one that is none of ours becomes the cause. */
export function fromPlainError({ code, message, facts, detail }: PlainError): AutoPayError {
  return new AutoPayError(code, message, detail === null ? { facts } : { facts, cause: new Error(detail) });
}
