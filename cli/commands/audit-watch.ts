import { setTimeout as sleep } from 'node:timers/promises';
import { escapeLine } from '../../protocol/text/escape-text.ts';
import {
  callPageSchema,
  describeCallCells,
  openAuditSession,
  queryOf,
  type CallFilterOptions,
} from '../audit-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { describeCommandError, formatTable } from '../output.ts';

/** What `autopay audit watch` was given. */
export interface AuditWatchOptions extends Omit<CallFilterOptions, 'since' | 'until'> {
  /** Seconds between two questions. */
  interval: number;
}

const pageSize = 100;

/**
 * Shows each receipt when it is in the log, from now on, until Ctrl-C: a line of a table, or with `--json` one object a line. A relay
 * that does not answer is asked again; nothing is missed meanwhile, because a cursor says where to go on.
 */
export async function runAuditWatch(context: CommandContext, options: AuditWatchOptions): Promise<void> {
  const { interval, ...filter } = options;
  const stack = await context.stack();
  const session = await openAuditSession(stack);
  const stopping = stopOnSignal();
  const ask = (rest: Record<string, string>) =>
    session.ask({ method: 'GET', path: `/v1/audit/calls?${queryOf(filter, rest)}`, schema: callPageSchema });
  try {
    const { logSize } = await ask({ order: 'desc', limit: '1' });
    let place: Record<string, string> = { from: String(logSize) };
    process.stderr.write(`Watching from log entry ${logSize} on; Ctrl-C ends.\n`);
    while (!stopping.signal.aborted) {
      const page = await ask({ order: 'asc', limit: String(pageSize), ...place }).catch(warnOfOutage);
      for (const call of page?.data ?? []) {
        context.print({ json: call, text: formatTable([describeCallCells(call, stack)]) });
      }
      if (page?.nextCursor) place = { cursor: page.nextCursor };
      if (!page?.hasMore) await sleep(interval * 1_000, undefined, stopping).catch(() => undefined);
    }
  } finally {
    stopping.end();
  }
}

/** What passes by itself is said once each time; what does not ends the watch. */
function warnOfOutage(error: unknown): undefined {
  const { code, message } = describeCommandError(error);
  const passes = ['upstream_unreachable', 'upstream_error', 'overloaded'];
  if (!passes.includes(code)) throw error;
  process.stderr.write(`autopay: ${escapeLine(message)} Asking again.\n`);
  return undefined;
}

/** Aborts at the first Ctrl-C or SIGTERM. */
function stopOnSignal(): { signal: AbortSignal; end: () => void } {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return { signal: stopping.signal, end: () => void process.off('SIGINT', stop).off('SIGTERM', stop) };
}
