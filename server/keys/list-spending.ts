import { z } from 'zod';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger, SpendingSum } from '../ledger/background-ledger.ts';
import type { KeyLedger } from '../ledger/key-ledger.ts';

const date = z.iso.date();
const dimensions = ['key', 'project', 'model', 'day'] as const;
type Dimension = (typeof dimensions)[number];

/** The query of `GET /v1/spending`. */
export const spendingQuerySchema = z.strictObject({
  /** Names separated by commas. */
  group_by: z
    .string()
    .default('day')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(dimensions)).min(1).max(4)),
  key_id: z.string().max(64).optional(),
  /** First and last UTC day. */
  since: date.optional(),
  until: date.optional(),
});
type SpendingQuery = z.output<typeof spendingQuerySchema>;

/** What spending is read from. */
export interface SpendingDeps {
  ledger: Pick<BackgroundLedger, 'listSpending'> & Pick<KeyLedger, 'getKey'>;
}

const dayMs = 86_400_000;
const dayOf = (text: string) => Date.parse(text) / dayMs;

/** What a payer has spent, with keys and without, summed by token and by what is asked for. Amounts are decimal strings. */
export async function listPayerSpending(
  { ledger }: SpendingDeps,
  { payer, query }: { payer: Hex; query: SpendingQuery },
): Promise<object[]> {
  const { group_by: groupBy, key_id: keyId, since, until } = query;
  const sums = await ledger.listSpending({
    payer,
    ...(keyId !== undefined && { keyId }),
    ...(since !== undefined && { sinceDay: dayOf(since) }),
    ...(until !== undefined && { untilDay: dayOf(until) }),
    // Projects are found by their keys.
    groupBy: [...new Set(groupBy.map((name) => (name === 'project' ? 'key' : name)))],
  });
  const projects = groupBy.includes('project') ? await readProjects(ledger, sums) : new Map<string, string | null>();
  return fold(sums, groupBy, projects);
}

async function readProjects(ledger: Pick<KeyLedger, 'getKey'>, sums: readonly SpendingSum[]) {
  const ids = [...new Set(sums.map(({ keyId }) => keyId))].filter((id) => id !== null);
  const keys = await Promise.all(ids.map((id) => ledger.getKey(id)));
  return new Map(keys.filter((key) => key !== undefined).map((key) => [key.keyId, key.projectId]));
}

/** Adds up what differs only in what was not asked for. */
function fold(
  sums: readonly SpendingSum[],
  groupBy: readonly Dimension[],
  projects: ReadonlyMap<string, string | null>,
): object[] {
  const rows = new Map<string, { names: Record<string, string | null>; calls: number; amount: bigint }>();
  for (const sum of sums) {
    const names: Record<string, string | null> = { token: sum.token };
    for (const dimension of groupBy) {
      if (dimension === 'key') names['key_id'] = sum.keyId;
      if (dimension === 'project') names['project_id'] = sum.keyId === null ? null : (projects.get(sum.keyId) ?? null);
      if (dimension === 'model') names['model'] = sum.model;
      if (dimension === 'day')
        names['day'] = sum.day === null ? null : new Date(sum.day * dayMs).toISOString().slice(0, 10);
    }
    const id = JSON.stringify(names);
    const row = rows.get(id) ?? { names, calls: 0, amount: 0n };
    rows.set(id, { names, calls: row.calls + sum.calls, amount: row.amount + sum.amount });
  }
  return [...rows.values()].map(({ names, calls, amount }) => ({ ...names, calls, amount: String(amount) }));
}
