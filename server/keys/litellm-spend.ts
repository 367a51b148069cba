import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { BackgroundLedger, ChargeRow, SpendingFilter } from '../ledger/background-ledger.ts';
import type { KeyLedger, StoredKey } from '../ledger/key-ledger.ts';
import type { KeyCurrency, KeyToken } from './key-currency.ts';
import { requireAnyKey, type LitellmDeps } from './litellm-keys.ts';
import type { SpendLogsQuery } from './litellm-schemas.ts';

/** What spend logs are read from. */
export interface SpendLogDeps {
  ledger: Pick<BackgroundLedger, 'listCharges' | 'listSpending'> & Pick<KeyLedger, 'getKey'> & LitellmDeps['ledger'];
  currency: KeyCurrency;
  tokens: readonly KeyToken[];
}

/** The most rows of one answer. */
const maxRows = 10_000;
const pageSize = 1_000;
const dayMs = 86_400_000;

/**
 * `GET /spend/logs`, as LiteLLM shapes it: a row for each charged call that came with a key, oldest first; or, with both dates and
 * unless `summarize=false`, a row for each day with its sums by key, user and model. Days are of UTC.
 *
 * @throws AutoPayError `not_found` (the key), `invalid_request` if there are more than 10,000 rows
 */
export async function listSpendLogs(deps: SpendLogDeps, query: SpendLogsQuery): Promise<object[]> {
  const { api_key: name, end_date: until, start_date: since } = query;
  const filter: SpendingFilter = {
    ...(name !== undefined && { keyId: (await requireAnyKey(deps, name)).keyId }),
    ...(query.user_id !== undefined && { payer: query.user_id }),
    ...(since !== undefined && { sinceDay: dayOf(since) }),
    ...(until !== undefined && { untilDay: dayOf(until) }),
  };
  if (since !== undefined && until !== undefined && query.summarize === 'true') return summarize(deps, filter);
  return listRows(deps, filter, query.request_id);
}

function dayOf(date: string): number {
  return Math.floor(Date.parse(date) / dayMs);
}

async function listRows(deps: SpendLogDeps, filter: SpendingFilter, callId: string | undefined): Promise<object[]> {
  const { ledger } = deps;
  const rows: ChargeRow[] = [];
  let from: number | null = 0;
  while (from !== null) {
    const page: Awaited<ReturnType<typeof ledger.listCharges>> = await ledger.listCharges({
      ...filter,
      ...{ from, limit: pageSize },
    });
    rows.push(...page.rows.filter((row) => row.keyId !== null && (callId === undefined || row.callId === callId)));
    if (rows.length > maxRows) {
      throw new AutoPayError('invalid_request', `There are more than ${maxRows} rows. Ask for fewer days, or one key.`);
    }
    from = page.next;
  }
  const keys = await readKeys(
    deps,
    rows.map(({ keyId }) => keyId),
  );
  return rows.map((row) => describeRow(deps, row, row.keyId === null ? undefined : keys.get(row.keyId)));
}

async function readKeys({ ledger }: SpendLogDeps, ids: readonly (string | null)[]): Promise<Map<string, StoredKey>> {
  const unique = [...new Set(ids)].filter((id) => id !== null);
  const keys = await Promise.all(unique.map((id) => ledger.getKey(id)));
  return new Map(keys.filter((key) => key !== undefined).map((key) => [key.keyId, key]));
}

/** Amounts of all tokens are told in the price currency. */
function spendOf({ currency, tokens }: SpendLogDeps, amount: bigint, address: Hex): number | null {
  const token = tokens.find((candidate) => candidate.address === address);
  // On a free route nothing is spent, in no token.
  return token ? currency.fromToken(amount, token) : 0;
}

function describeRow(deps: SpendLogDeps, row: ChargeRow, key: StoredKey | undefined): object {
  const receipt = decodeReceipt(row.entry);
  const { usage } = receipt;
  return {
    ...{ request_id: row.callId, call_type: 'acompletion', api_key: key?.secretHash.slice(2) ?? '' },
    ...{ spend: spendOf(deps, row.amount, row.token), total_tokens: usage.prompt + usage.completion },
    ...{ prompt_tokens: usage.prompt, completion_tokens: usage.completion },
    startTime: new Date(Number(receipt.admittedAtMs)).toISOString(),
    endTime: new Date(Number(receipt.chargedAtMs)).toISOString(),
    ...{ model: row.model, model_group: row.model, custom_llm_provider: row.provider, api_base: '' },
    ...{ user: key?.payer ?? row.payer ?? '', team_id: key?.projectId ?? null, end_user: '' },
    metadata: {
      user_api_key_alias: key?.name ?? null,
      amount: String(row.amount),
      token: row.token,
      deployment: receipt.deployment,
    },
    ...{ cache_hit: 'False', cache_key: '', request_tags: [], status: 'success' },
  };
}

interface DaySummary {
  startTime: string;
  spend: number;
  users: Record<string, number>;
  models: Record<string, number>;
  api_keys: Record<string, number>;
}

async function summarize(deps: SpendLogDeps, filter: SpendingFilter): Promise<object[]> {
  const sums = await deps.ledger.listSpending({ ...filter, groupBy: ['payer', 'key', 'model', 'day'] });
  const withKey = sums.filter(({ keyId }) => keyId !== null);
  const keys = await readKeys(
    deps,
    withKey.map(({ keyId }) => keyId),
  );
  const days = new Map<number, DaySummary>();
  for (const { amount, day, keyId, model, payer, token } of withKey) {
    if (day === null || keyId === null) continue;
    const startTime = new Date(day * dayMs).toISOString().slice(0, 10);
    const summary = days.get(day) ?? { startTime, spend: 0, users: {}, models: {}, api_keys: {} };
    days.set(day, summary);
    const spend = spendOf(deps, amount, token) ?? 0;
    summary.spend += spend;
    add(summary.users, keys.get(keyId)?.payer ?? payer ?? '', spend);
    add(summary.models, model ?? '', spend);
    add(summary.api_keys, keys.get(keyId)?.secretHash.slice(2) ?? keyId, spend);
  }
  const ordered = [...days.entries()].sort(([a], [b]) => a - b).map(([, summary]) => summary);
  // LiteLLM has the keys' own sums beside the day's.
  return ordered.map(({ api_keys: byKey, ...summary }) => ({ ...byKey, ...summary }));
}

function add(sums: Record<string, number>, name: string, amount: number): void {
  sums[name] = (sums[name] ?? 0) + amount;
}
