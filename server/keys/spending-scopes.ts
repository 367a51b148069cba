import type { KeyWithProject, StoredKey, StoredProject } from '../ledger/key-ledger.ts';
import type { SpendingScope } from '../ledger/ledger.ts';
import { periodAt } from './budget-period.ts';

/** What no spending reaches: scopes without a budget only count. */
const noLimit = 2n ** 128n - 1n;

/** The scope of a key or project in the period of a time: what it spends is counted in it, with or without a budget. */
export function scopeOf(terms: StoredKey | StoredProject, nowMs: number): SpendingScope {
  const id = 'keyId' in terms ? `key:${terms.keyId}` : `project:${terms.projectId}`;
  const { window, endsAtSeconds } = periodAt(terms, nowMs);
  return { id, window, limit: terms.budget ?? noLimit, endsAtSeconds };
}

/** Every scope that a call by a key counts in. */
export function scopesOfKey({ key, project }: KeyWithProject, nowMs: number): SpendingScope[] {
  return [scopeOf(key, nowMs), ...(project ? [scopeOf(project, nowMs)] : [])];
}
