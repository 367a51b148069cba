import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { StoredKey, StoredProject } from '../ledger/key-ledger.ts';
import { scopeOf } from './spending-scopes.ts';

/** What is told of keys and projects is read from here. */
export interface DescribeDeps {
  ledger: Pick<BackgroundLedger, 'getSpending'>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** What a key or project has spent in its present period, atomic units. */
export interface PeriodSpending {
  spent: bigint;
  /** Held by calls under way. */
  reserved: bigint;
  /** When the next period begins, unix milliseconds; null if never. */
  resetsAtMs: number | null;
}

/** Reads what keys and projects have spent in their present periods, in their order. */
export async function readSpending(
  deps: DescribeDeps,
  all: readonly (StoredKey | StoredProject)[],
): Promise<PeriodSpending[]> {
  const scopes = all.map((terms) => ({ ...scopeOf(terms, deps.nowMs()), token: terms.token }));
  const sums = await deps.ledger.getSpending(scopes.map(({ id, window, token }) => ({ id, window, token })));
  return scopes.map(({ endsAtSeconds }, index) => ({
    spent: sums[index]?.charged ?? 0n,
    reserved: sums[index]?.reserved ?? 0n,
    resetsAtMs: endsAtSeconds === null ? null : endsAtSeconds * 1_000,
  }));
}

const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

function describeTerms(terms: StoredKey | StoredProject, { spent, reserved, resetsAtMs }: PeriodSpending): object {
  return {
    ...{ name: terms.name, payer: terms.payer, token: terms.token, models: terms.models },
    metadata: JSON.parse(terms.metadata) as unknown,
    budget: terms.budget === null ? null : String(terms.budget),
    budget_duration: terms.budgetDuration,
    budget_resets_at: dateOf(resetsAtMs),
    spent: String(spent),
    reserved: String(reserved),
    created_at: dateOf(terms.createdAtMs),
  };
}

/** Keys as `/v1/keys` tells of them: amounts are decimal strings in atomic units of `token`, times ISO 8601. */
export async function describeKeys(deps: DescribeDeps, keys: readonly StoredKey[]): Promise<object[]> {
  const spending = await readSpending(deps, keys);
  return keys.map((key, index) => ({
    ...{ object: 'key', id: key.keyId, hint: key.hint, mode: key.mode, project_id: key.projectId },
    ...describeTerms(key, spending[index] ?? nothing),
    ...{ rpm_limit: key.rpmLimit, tpm_limit: key.tpmLimit, manages: key.manages, created_by: key.createdBy },
    expires_at: dateOf(key.expiresAtMs),
  }));
}

/** Projects as `/v1/projects` tells of them. */
export async function describeProjects(deps: DescribeDeps, projects: readonly StoredProject[]): Promise<object[]> {
  const spending = await readSpending(deps, projects);
  return projects.map((project, index) => ({
    ...{ object: 'project', id: project.projectId },
    ...describeTerms(project, spending[index] ?? nothing),
  }));
}

const nothing: PeriodSpending = { spent: 0n, reserved: 0n, resetsAtMs: null };
