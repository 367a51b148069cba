import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { CallWatch } from './call-watch.ts';
import { TransportError } from './transport.ts';

/** Why an answer that had begun is not whole although its provider did not fail. Such a call is charged. */
export type BreakReason =
  Extract<ErrorCode, 'call_timeout' | 'answer_too_long' | 'client_too_slow' | 'voucher_missing'> | 'client_gone';

/**
 * Says who broke off an answer that had begun. What was generated has been paid for by the relay, so a payer who leaves,
 * does not read, or asks for more than the relay's limits allow must not have it for nothing.
 * @param cause what ended the reading of the answer.
 * @returns null where the provider failed, or the relay itself: then nothing is charged.
 */
export function judgeBreak(
  watch: Pick<CallWatch, 'clientGone' | 'heldBack' | 'reason'>,
  cause: unknown,
): BreakReason | null {
  if (!(cause instanceof TransportError)) return null;
  switch (cause.failure) {
    case 'too_long':
      return watch.clientGone ? 'client_gone' : 'answer_too_long';
    case 'aborted':
      if (watch.reason === 'drain_timeout') return 'client_gone';
      return watch.reason === 'call_timeout' ? 'call_timeout' : null;
    case 'truncated':
    case 'timeout':
      // A provider that gives up a connection that is not read has not failed.
      if (!watch.heldBack) return null;
      return watch.clientGone ? 'client_gone' : 'client_too_slow';
    case 'unreachable':
      return null;
  }
}
