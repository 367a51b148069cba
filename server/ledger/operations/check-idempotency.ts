import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { AnswerStore } from '../answer-store.ts';
import type { CallStore } from '../call-store.ts';
import type { FirstCall, Idempotency, ReserveRequest } from '../ledger.ts';
import { refuse, type Refused } from './hold-funds.ts';

const maxScopeLength = 128;
const maxKeyLength = 256;

interface Stores {
  calls: CallStore;
  answers: AnswerStore;
}

/**
 * Finds the call that an idempotency key stands for. Undefined if there is none, or it was released: a key stands for charged
 * work, or work under way, only.
 * @throws AutoPayError `internal_error` if scope or key is empty or too long.
 */
export function createFindRepeat({ calls, answers }: Stores) {
  return function findRepeat(idempotency: Idempotency): FirstCall | undefined {
    const { scope, key, bodyDigest } = idempotency;
    if (scope === '' || scope.length > maxScopeLength || key === '' || key.length > maxKeyLength) {
      throw new AutoPayError('internal_error', 'An idempotency scope has 1 to 128 characters, a key 1 to 256.');
    }
    const first = answers.findCall(idempotency);
    if (first === undefined) return undefined;
    const state = calls.find(first.callId)?.state;
    if (state === undefined || state === 'released') return undefined;
    return { callId: first.callId, state, isSame: first.bodyDigest === bodyDigest.toLowerCase() };
  };
}

/** The refusal of a request that came before under its idempotency key, or of another one under the same key. */
export function refuseRepeat(stores: Stores, request: ReserveRequest): Refused | undefined {
  if (request.idempotency === null) return undefined;
  const first = createFindRepeat(stores)(request.idempotency);
  if (first === undefined) return undefined;
  const { callId: usedByCallId, state: usedByState, isSame } = first;
  return isSame
    ? refuse('idempotent_repeat', { channel: null, request }, { usedByCallId, usedByState })
    : refuse('idempotency_mismatch', { channel: null, request }, { usedByCallId });
}
