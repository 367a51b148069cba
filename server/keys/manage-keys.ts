import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { KeyLedger, StoredKey, StoredProject } from '../ledger/key-ledger.ts';
import { createApiKey, createId, hashApiKey, hintOfApiKey } from './api-key.ts';
import { addDuration } from './budget-period.ts';
import type { KeyCache } from './key-cache.ts';
import type { KeyToken } from './key-currency.ts';
import type { KeyChange, KeyTerms } from './key-schemas.ts';

/** What changing keys and projects works with. */
export interface ManageDeps {
  ledger: Pick<
    KeyLedger,
    'putKey' | 'getKey' | 'listKeys' | 'putProject' | 'getProject' | 'listProjects' | 'findKeyChannel'
  >;
  cache: Pick<KeyCache, 'clear'>;
  /** What calls can be paid in; the default first. */
  tokens: readonly KeyToken[];
  /** The token of allowances; undefined if it is none of `tokens`. */
  allowanceToken: KeyToken | undefined;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** The most living keys of a payer, and the most living projects. */
const maxKeys = 1_000;

/**
 * Makes a key on a payer that has agreed to pay: by headroom for keys, or, in allowance mode, by being logged in.
 *
 * @returns `apiKey` is the key itself: it MUST be shown once, and is stored nowhere
 * @throws AutoPayError `invalid_request`, `not_found` (the project), `insufficient_headroom`
 */
export async function createKey(
  deps: ManageDeps,
  owner: { payer: Hex; createdBy: StoredKey['createdBy'] },
  terms: KeyTerms,
): Promise<{ key: StoredKey; apiKey: string }> {
  const { ledger, nowMs } = deps;
  const { payer, createdBy } = owner;
  const project = terms.project_id ? await requireProject(deps, terms.project_id, payer) : undefined;
  const token = tokenOf(deps, terms, project);
  await requireConsent(deps, { payer, token, mode: terms.mode });
  if ((await ledger.listKeys(payer)).length >= maxKeys) {
    throw new AutoPayError('invalid_request', `A payer may have ${maxKeys} keys. Delete some that are not needed.`);
  }
  const apiKey = createApiKey();
  const key: StoredKey = {
    ...{ keyId: createId('key_'), secretHash: hashApiKey(apiKey), hint: hintOfApiKey(apiKey), payer, createdBy },
    ...{ token: token.address, mode: terms.mode, projectId: project?.projectId ?? null },
    ...{ name: terms.name ?? 'API key', metadata: JSON.stringify(terms.metadata ?? {}), models: listOf(terms.models) },
    ...{ budget: terms.budget ?? null, budgetDuration: terms.budget_duration ?? null },
    ...{ budgetFrom: Math.floor(nowMs() / 1_000), expiresAtMs: expiryOf(terms, nowMs()) ?? null },
    ...{ rpmLimit: terms.rpm_limit ?? null, tpmLimit: terms.tpm_limit ?? null, manages: terms.manages ?? false },
    ...{ createdAtMs: nowMs(), deletedAtMs: null },
  };
  await ledger.putKey(key);
  return { key, apiKey };
}

/**
 * A living key of a payer.
 * @param payer null: of any payer
 * @throws AutoPayError `not_found`
 */
export async function requireKey(deps: ManageDeps, keyId: string, payer: Hex | null): Promise<StoredKey> {
  const key = await deps.ledger.getKey(keyId);
  if (key?.deletedAtMs === null && (payer === null || key.payer === payer)) return key;
  throw new AutoPayError('not_found', 'There is no such key. GET /v1/keys lists them.', { param: 'id' });
}

/**
 * Changes a key; it counts at this relay's next call, and at other relays within seconds. Another budget period begins at once,
 * with nothing spent in it.
 * @throws AutoPayError `invalid_request`, `not_found` (the project)
 */
export async function changeKey(deps: ManageDeps, key: StoredKey, change: KeyChange): Promise<StoredKey> {
  const { ledger, nowMs } = deps;
  const project = change.project_id ? await requireProject(deps, change.project_id, key.payer) : undefined;
  if (project && project.token !== key.token) throw otherToken();
  const expiresAtMs = expiryOf(change, nowMs());
  const { budget_duration: duration = key.budgetDuration } = change;
  const after: StoredKey = {
    ...key,
    ...(change.name !== undefined && { name: change.name }),
    ...(change.metadata !== undefined && { metadata: JSON.stringify(change.metadata) }),
    ...(change.models !== undefined && { models: listOf(change.models) }),
    ...(change.budget !== undefined && { budget: change.budget }),
    ...(duration !== key.budgetDuration && {
      ...{ budgetDuration: duration, budgetFrom: Math.floor(nowMs() / 1_000) },
    }),
    ...(change.rpm_limit !== undefined && { rpmLimit: change.rpm_limit }),
    ...(change.tpm_limit !== undefined && { tpmLimit: change.tpm_limit }),
    ...(change.manages !== undefined && { manages: change.manages }),
    ...(change.project_id !== undefined && { projectId: project?.projectId ?? null }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  await ledger.putKey(after);
  deps.cache.clear();
  return after;
}

/** Deletes a key: no call after this is let in by it at this relay, and none at others within seconds. Calls under way go on. */
export async function deleteKey(deps: ManageDeps, key: StoredKey): Promise<void> {
  await deps.ledger.putKey({ ...key, deletedAtMs: deps.nowMs() });
  deps.cache.clear();
}

/**
 * A living project of a payer.
 * @param payer null: of any payer
 * @throws AutoPayError `not_found`
 */
export async function requireProject(
  deps: Pick<ManageDeps, 'ledger'>,
  projectId: string,
  payer: Hex | null,
): Promise<StoredProject> {
  const project = await deps.ledger.getProject(projectId);
  if (project?.deletedAtMs === null && (payer === null || project.payer === payer)) return project;
  throw new AutoPayError('not_found', 'There is no such project. GET /v1/projects lists them.', {
    param: 'project_id',
  });
}

/**
 * A token by symbol or address; by default the first.
 * @throws AutoPayError `invalid_request`
 */
export function requireToken(tokens: readonly KeyToken[], name: string | undefined): KeyToken {
  const wanted = name?.toLowerCase();
  const token = tokens.find(
    ({ address, symbol }) => wanted === undefined || symbol.toLowerCase() === wanted || address === wanted,
  );
  if (token) return token;
  const known = tokens.map(({ symbol }) => symbol).join(', ');
  throw new AutoPayError('invalid_request', `Calls are not paid in that token. There are ${known}.`, {
    param: 'token',
  });
}

function tokenOf(
  { allowanceToken, tokens }: ManageDeps,
  terms: Pick<KeyTerms, 'mode' | 'token'>,
  project: StoredProject | undefined,
): KeyToken {
  const fallback = terms.mode === 'allowance' ? allowanceToken?.address : project?.token;
  const token = requireToken(tokens, terms.token ?? fallback);
  if (terms.mode === 'allowance' && token !== allowanceToken) {
    const message = 'An allowance is paid in AGPT. Leave the token out, or use a channel.';
    throw new AutoPayError('invalid_request', message, { param: 'token' });
  }
  if (project && project.token !== token.address) throw otherToken();
  return token;
}

async function requireConsent(
  { ledger }: ManageDeps,
  { payer, token, mode }: { payer: Hex; token: KeyToken; mode: StoredKey['mode'] },
): Promise<void> {
  if (mode === 'allowance') return;
  if (await ledger.findKeyChannel({ payer, token: token.address })) return;
  throw new AutoPayError(
    'insufficient_headroom',
    'This payer has not said yet which channel its keys may spend from. Open a channel in this token, sign a voucher for what keys may ' +
      'spend, and send it to POST /v1/keys/headroom; then make the key.',
    { facts: { payer, token: token.address } },
  );
}

function expiryOf(terms: Pick<KeyChange, 'duration' | 'expires_at'>, nowMs: number): number | null | undefined {
  const { duration, expires_at: expiresAt } = terms;
  if (duration !== undefined && expiresAt !== undefined) {
    throw new AutoPayError('invalid_request', 'Say expires_at or duration, not both.', { param: 'duration' });
  }
  if (duration) return addDuration(nowMs, duration);
  if (expiresAt) return Date.parse(expiresAt);
  return duration === null || expiresAt === null ? null : undefined;
}

/** An empty list allows all models. */
function listOf(models: readonly string[] | null | undefined): readonly string[] | null {
  return models && models.length > 0 ? models : null;
}

function otherToken(): AutoPayError {
  const message = 'The project spends another token than the key: its budget would count apples and pears.';
  return new AutoPayError('invalid_request', message, { param: 'project_id' });
}
