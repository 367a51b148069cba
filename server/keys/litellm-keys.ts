import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { KeyLedger, StoredKey } from '../ledger/key-ledger.ts';
import { hashApiKey, isApiKey } from './api-key.ts';
import { readSpending, type DescribeDeps } from './describe-keys.ts';
import type { KeyCurrency, KeyToken } from './key-currency.ts';
import { changeKeySchema, createKeySchema, type KeyChange } from './key-schemas.ts';
import type { GenerateKey, UpdateKey } from './litellm-schemas.ts';
import { changeKey, createKey, deleteKey, requireToken, type ManageDeps } from './manage-keys.ts';

/** What LiteLLM's API of keys works with. */
export interface LitellmDeps extends ManageDeps {
  ledger: ManageDeps['ledger'] & DescribeDeps['ledger'] & Pick<KeyLedger, 'findKey'>;
  currency: KeyCurrency;
}

/**
 * `POST /key/generate`: makes a key on a stated payer, which has agreed by posting headroom for keys.
 * @throws AutoPayError as `createKey`
 */
export async function generateKey(deps: LitellmDeps, body: GenerateKey): Promise<object> {
  const token = requireToken(deps.tokens, body.token ?? (await tokenOfTeam(deps, body)));
  const terms = createKeySchema.parse({ ...termsOf(deps, body, token), token: token.address });
  const { apiKey, key } = await createKey(deps, { payer: body.user_id, createdBy: 'operator' }, terms);
  return { key: apiKey, ...(await describeInfo(deps, key)) };
}

/**
 * `POST /key/update`: what is not named stays.
 * @throws AutoPayError `not_found`, `invalid_request`, and as `changeKey`
 */
export async function updateKey(deps: LitellmDeps, body: UpdateKey): Promise<object> {
  const key = await requireAnyKey(deps, body.key);
  if (body.user_id && body.user_id !== key.payer) {
    const message = 'A key stays with the payer that it was made on. Make another one for another payer.';
    throw new AutoPayError('invalid_request', message, { param: 'user_id' });
  }
  const after = await changeKey(
    deps,
    key,
    changeKeySchema.parse(termsOf(deps, body, requireToken(deps.tokens, key.token))),
  );
  return { key: body.key, ...(await describeInfo(deps, after)) };
}

/** `GET /key/info`: `{key, info}`. */
export async function describeKeyInfo(deps: LitellmDeps, name: string): Promise<object> {
  const key = await requireAnyKey(deps, name);
  return { key: name, info: await describeInfo(deps, key) };
}

/** `POST /key/delete`: all of them, or, if one is not known, none. */
export async function deleteKeys(deps: LitellmDeps, names: readonly string[]): Promise<object> {
  const keys = await Promise.all(names.map((name) => requireAnyKey(deps, name)));
  for (const key of keys) await deleteKey(deps, key);
  return { deleted_keys: names };
}

/**
 * A living key by itself, by its hash (LiteLLM's `token`), or by its id.
 * @throws AutoPayError `not_found`
 */
export async function requireAnyKey(deps: Pick<LitellmDeps, 'ledger'>, name: string): Promise<StoredKey> {
  const { ledger } = deps;
  const hash: Hex | undefined = isApiKey(name)
    ? hashApiKey(name)
    : /^[0-9a-f]{64}$/.test(name)
      ? `0x${name}`
      : undefined;
  const key = hash === undefined ? await ledger.getKey(name) : (await ledger.findKey(hash))?.key;
  if (key?.deletedAtMs === null) return key;
  throw new AutoPayError('not_found', 'There is no such key. It may have been deleted.', { param: 'key' });
}

/** LiteLLM's words for what a key is made of, in ours. */
function termsOf({ currency }: LitellmDeps, body: Omit<GenerateKey, 'user_id' | 'token'>, token: KeyToken): object {
  const { key_alias: name, max_budget: budget, metadata, team_id: projectId } = body;
  const terms: { [Name in keyof KeyChange]: unknown } = {
    name: name ?? undefined,
    metadata: metadata === null ? {} : metadata,
    models: body.models,
    // As text, since that is what the schema of amounts reads.
    budget: budget === undefined || budget === null ? budget : String(currency.toToken(budget, token)),
    budget_duration: body.budget_duration,
    duration: body.duration,
    rpm_limit: body.rpm_limit,
    tpm_limit: body.tpm_limit,
    project_id: projectId,
  };
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

async function tokenOfTeam({ ledger }: LitellmDeps, { team_id: id }: GenerateKey): Promise<Hex | undefined> {
  return id ? (await ledger.getProject(id))?.token : undefined;
}

/** Amounts are in the price currency, at the price of the moment where an oracle makes it. */
async function describeInfo(deps: LitellmDeps, key: StoredKey): Promise<object> {
  const { currency, tokens } = deps;
  const [{ spent, resetsAtMs } = { spent: 0n, resetsAtMs: null }] = await readSpending(deps, [key]);
  const token = requireToken(tokens, key.token);
  const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    ...{ token: key.secretHash.slice(2), token_id: key.keyId, key_name: key.hint, key_alias: key.name },
    ...{ spend: currency.fromToken(spent, token), expires: dateOf(key.expiresAtMs), models: key.models ?? [] },
    ...{ user_id: key.payer, team_id: key.projectId, metadata: JSON.parse(key.metadata) as unknown },
    max_budget: key.budget === null ? null : currency.fromToken(key.budget, token),
    ...{ budget_duration: key.budgetDuration, budget_reset_at: dateOf(resetsAtMs) },
    ...{ rpm_limit: key.rpmLimit, tpm_limit: key.tpmLimit, created_at: dateOf(key.createdAtMs) },
  };
}
