import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import type { ScopeWindow } from '../background-ledger.ts';
import type { StoredCall } from '../call-store.ts';
import { maxScopesPerCall, type ScopeSpending, type SpendingScope } from '../ledger.ts';
import type { ScopeStore } from '../scope-store.ts';

const maxScopeIdLength = 128;

/** @throws AutoPayError `internal_error` for scopes that no relay would give. */
function requireSane(scopes: readonly SpendingScope[]): void {
  const names = new Set(scopes.map(({ id, window }) => JSON.stringify([id, window])));
  const isSane = ({ id, window, limit }: SpendingScope) =>
    id.length > 0 && id.length <= maxScopeIdLength && Number.isSafeInteger(window) && window >= 0 && limit >= 0n;
  if (names.size === scopes.length && scopes.length <= maxScopesPerCall && scopes.every(isSane)) return;
  throw new AutoPayError('internal_error', 'A call has at most 8 different scopes, with windows and limits from 0 up.');
}

/**
 * What the scopes of a call would hold with its quote, or the first that it does not fit. Nothing is written yet.
 * @throws AutoPayError `internal_error` if a scope is malformed, or there are too many.
 */
export function planScopes(
  store: ScopeStore,
  { scopes, quote, token }: { scopes: readonly SpendingScope[]; quote: bigint; token: Hex },
): { ok: true; after: ScopeWindow[] } | { ok: false; scope: ScopeSpending } {
  if (scopes.length > 0) requireSane(scopes);
  const after: ScopeWindow[] = [];
  for (const scope of scopes) {
    const { id, window, limit } = scope;
    const before = store.get({ id, window, token });
    const { charged, reserved } = before;
    // A limit may be beyond what a column holds; the sum must not be.
    const most = limit < maxAmount ? limit : maxAmount;
    if (charged + reserved + quote > most) return { ok: false, scope: { ...scope, charged, reserved } };
    after.push({ ...before, reserved: reserved + quote });
  }
  return { ok: true, after };
}

/**
 * Ends what a call holds of its scopes: what it was charged counts, the rest is free again.
 * @throws AutoPayError `internal_error` if a scope has less reserved than the call holds.
 */
export function settleScopes(
  store: ScopeStore,
  { call, token, charged }: { call: StoredCall; token: Hex; charged: bigint },
): void {
  for (const { id, window } of call.scopes) {
    const before = store.get({ id, window, token });
    if (before.reserved < call.quote) {
      throw new AutoPayError('internal_error', `Scope ${id} has less reserved than call ${call.callId} holds.`);
    }
    store.put({ ...before, charged: before.charged + charged, reserved: before.reserved - call.quote });
  }
}
