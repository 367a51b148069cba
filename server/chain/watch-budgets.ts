import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Clock, ModelBudgets } from '../call/types.ts';
import type { BackgroundLedger, BudgetChange } from '../ledger/background-ledger.ts';
import { createBudgetTable } from './budget-table.ts';
import { callChain } from './call-chain.ts';
import { compareBudgets } from './compare-budgets.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { Head, HeadReader } from './create-head-reader.ts';
import { createBlockFollower, type BlockFollowerOptions } from './follow-blocks.ts';
import type { JobLog } from './job-log.ts';

/** What watching budgets works with. */
export interface BudgetWatcherOptions extends Pick<
  BlockFollowerOptions,
  'deployedAtBlock' | 'reorgMarginBlocks' | 'maxBlocksPerQuery'
> {
  client: ChainClient;
  head: HeadReader;
  ledger: Pick<BackgroundLedger, 'listBudgetChanges' | 'replaceBudgetChanges' | 'getState' | 'setState'>;
  /** The ModelBudgets contract. */
  modelBudgets: Hex;
  /** The models that are sold, and the tokens that they are sold for: of these the contract itself is asked now and then. */
  models: readonly string[];
  tokens: readonly Hex[];
  /** What is from a block that is older than this decides nothing. */
  maxStalenessMs: number;
  clock: Clock;
  log: JobLog;
}

/**
 * Follows what votes allow models to spend, and answers for any day from what it has read. A change holds from the next UTC
 * day on, so what is a little behind is still right, but for a change in the last moments before midnight.
 */
export interface BudgetWatcher extends ModelBudgets {
  /**
   * Reads the blocks since the last call. It MUST NOT run twice at the same time.
   * @throws AutoPayError `chain_unavailable`, also if the endpoint is further behind than a reorganisation explains, or its
   * events are not what the contract says.
   */
  poll(): Promise<void>;
}

/** How often the contract itself is asked. An event that an endpoint kept back would else be missed for good. */
const compareIntervalMs = 3_600_000;

const dayMs = 86_400_000;

/** A watcher that continues at the block where an earlier process stopped. It knows nothing before its first poll. */
export function createBudgetWatcher(options: BudgetWatcherOptions): BudgetWatcher {
  const { head, ledger, clock, maxStalenessMs, log, reorgMarginBlocks } = options;
  let changes: readonly BudgetChange[] | undefined;
  let table = createBudgetTable([]);
  let asOfMs = Number.NEGATIVE_INFINITY;
  let comparedAtMs = Number.NEGATIVE_INFINITY;

  /** All changes so far; at first, those that an earlier process stored. */
  async function knownChanges(): Promise<readonly BudgetChange[]> {
    if (changes !== undefined) return changes;
    changes = await listChanges(ledger);
    table = createBudgetTable(changes);
    return changes;
  }

  async function readRange({ from, to }: { from: number; to: number }): Promise<void> {
    const isWithin = ({ block }: BudgetChange) => block >= from && block <= to;
    const known = await knownChanges();
    const before = known.filter(isWithin);
    const now = await readChanges(options, { from, to });
    if (keyOf(before) === keyOf(now)) return;
    await ledger.replaceBudgetChanges({ from, to, changes: now });
    changes = [...known.filter((change) => !isWithin(change)), ...now].sort(compareChanges);
    table = createBudgetTable(changes);
    log.info({ from, to, before: before.length, now: now.length }, 'votes changed what models may spend');
  }

  const follower = createBlockFollower({ ...options, stateKey: 'watch_budgets.next_block', readRange });

  async function compare(newest: Head): Promise<string[]> {
    const today = Math.floor(clock.nowMs() / dayMs);
    return compareBudgets({ ...options, table, days: [today, today + 1], blockNumber: newest.number });
  }

  /** Reads everything again if events are missing, and sells nothing until they are there. */
  async function requireAgreement(newest: Head): Promise<void> {
    const missing = await compare(newest);
    if (missing.length === 0) return;
    asOfMs = Number.NEGATIVE_INFINITY;
    log.error({ missing: missing.slice(0, 8) }, 'the endpoint kept back events of budgets; reading all of them again');
    await follower.rewind();
    await follower.poll(newest);
    const [still] = await compare(newest);
    if (still === undefined) return;
    throw new AutoPayError(
      'chain_unavailable',
      `The events of ModelBudgets do not explain ${still}. Check chain.deployedAtBlock, and the endpoint of chain.rpcUrl.`,
    );
  }

  return {
    async poll() {
      const newest = await head.read();
      const { newestBlock, nextBlock } = await follower.poll(newest);
      if (newestBlock + reorgMarginBlocks < nextBlock - 1) {
        throw new AutoPayError(
          'chain_unavailable',
          `The endpoint is at block ${newestBlock}, and block ${nextBlock - 1} was read before. Check chain.rpcUrl.`,
        );
      }
      if (clock.nowMs() - comparedAtMs >= compareIntervalMs) {
        await requireAgreement(newest);
        comparedAtMs = clock.nowMs();
      }
      asOfMs = newest.asOfMs;
    },
    terms(ask) {
      if (clock.nowMs() - asOfMs > maxStalenessMs) {
        throw new AutoPayError(
          'budgets_unknown',
          'The relay has not heard from the chain for too long to know what this model may spend. Try again soon.',
        );
      }
      return table.terms(ask);
    },
  };
}

async function listChanges(ledger: BudgetWatcherOptions['ledger']): Promise<BudgetChange[]> {
  const changes: BudgetChange[] = [];
  while (true) {
    const after = changes.at(-1);
    const page = await ledger.listBudgetChanges(after === undefined ? {} : { after });
    if (page.length === 0) return changes;
    changes.push(...page);
  }
}

/** The events that change limits and rates; those that count spends are many, and say nothing of either. */
const followedEvents = modelBudgetsAbi.filter(
  (entry) =>
    entry.type === 'event' &&
    ['ModelBudgetSet', 'ModelBudgetRemoved', 'DefaultBudgetSet', 'AccountingRateSet'].includes(entry.name),
);

/** The changes that a range of blocks tells of, in their order. */
async function readChanges(
  { client, modelBudgets }: BudgetWatcherOptions,
  range: { from: number; to: number },
): Promise<BudgetChange[]> {
  const logs = await callChain(`the budgets of blocks ${range.from} to ${range.to}`, () =>
    client.getLogs({
      address: modelBudgets,
      events: followedEvents,
      fromBlock: BigInt(range.from),
      toBlock: BigInt(range.to),
      strict: true,
    }),
  );
  return logs.flatMap((event): BudgetChange[] => {
    const place = { block: Number(event.blockNumber), logIndex: event.logIndex };
    switch (event.eventName) {
      case 'ModelBudgetSet': {
        const { model, dailyLimit, fromDay } = event.args;
        return [{ ...place, kind: 'model', subject: model, fromDay, value: dailyLimit }];
      }
      case 'ModelBudgetRemoved': {
        const { model, fromDay } = event.args;
        return [{ ...place, kind: 'model', subject: model, fromDay, value: null }];
      }
      case 'DefaultBudgetSet': {
        const { dailyLimit, fromDay } = event.args;
        return [{ ...place, kind: 'default', subject: '0x', fromDay, value: dailyLimit }];
      }
      case 'AccountingRateSet': {
        const { token, rate, fromDay } = event.args;
        return [{ ...place, kind: 'rate', subject: token.toLowerCase() as Hex, fromDay, value: rate }];
      }
      default:
        return [];
    }
  });
}

function compareChanges(a: BudgetChange, b: BudgetChange): number {
  return a.block - b.block || a.logIndex - b.logIndex;
}

/** Two lists with one key say the same. */
function keyOf(changes: readonly BudgetChange[]): string {
  return changes
    .map(({ block, logIndex, kind, subject, fromDay, value }) =>
      [block, logIndex, kind, subject, fromDay, String(value)].join(':'),
    )
    .join(' ');
}
