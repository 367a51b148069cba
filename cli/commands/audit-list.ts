import {
  callColumns,
  callPageSchema,
  describeCallCells,
  openAuditSession,
  queryOf,
  type AuditedCall,
  type CallFilterOptions,
} from '../audit-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/** What `autopay audit list` was given. */
export interface AuditListOptions extends CallFilterOptions {
  /** The most calls. */
  limit: number;
}

const maxPage = 1_000;

/** Lists calls as the relay's log has them, newest first. */
export async function runAuditList(context: CommandContext, { limit, ...filter }: AuditListOptions): Promise<void> {
  const stack = await context.stack();
  const session = await openAuditSession(stack);
  const calls: AuditedCall[] = [];
  let cursor: string | null = null;
  let hasMore: boolean;
  do {
    const page: Record<string, string> = {
      order: 'desc',
      limit: String(Math.min(maxPage, limit - calls.length)),
      ...(cursor !== null && { cursor }),
    };
    const path = `/v1/audit/calls?${queryOf(filter, page)}`;
    const answer = await session.ask({ method: 'GET', path, schema: callPageSchema });
    calls.push(...answer.data);
    ({ hasMore, nextCursor: cursor } = answer);
  } while (hasMore && calls.length < limit);
  const rows = calls.map((call) => describeCallCells(call, stack));
  context.print({
    json: { data: calls, hasMore },
    text:
      (rows.length === 0 ? 'No calls.\n' : formatTable([callColumns, ...rows])) +
      (hasMore ? 'There may be more: give --limit, --since or --until, or export them.\n' : ''),
  });
}
