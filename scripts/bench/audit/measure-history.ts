import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CID } from 'multiformats/cid';
import { createPriceJudge } from '../../../fsck/price-judge.ts';
import { readHistory, type HistoryFacts } from '../../../fsck/read-history.ts';
import { LogWalk } from '../../../fsck/walk-log.ts';
import { Frontier } from '../../../protocol/merkle/frontier.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import { createBlockStore, type BlockStore } from '../../../server/audit/block-store.ts';
import { cutBlock, type LogHead } from '../../../server/audit/cut-block.ts';
import { figure, type Figure } from '../report.ts';
import { secondsSince } from './cpu-seconds.ts';
import { syntheticPayer, syntheticPrices, syntheticReceipt } from './synthetic-log.ts';

const entriesPerBlock = 750;
/** What `autopay audit verify --all` has to read in 20 s. */
const million = 1_000_000;

/**
 * A payer's whole history, all of which is its own: what `autopay audit verify --all` does with each entry. What it asks the chain does
 * not grow with the log, and is not in it. The blocks are on disk. CPU time.
 */
export async function measureHistory(count: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-bench-'));
  try {
    const blocks = createBlockStore(join(folder, 'blocks'));
    const { previous, frontier } = await writeLog(blocks, count);
    if (previous === null) throw new RangeError('a history has entries');
    const walk = new LogWalk(blocks, { cid: previous, size: count, root: frontier.root() });
    const prices = createPriceJudge({ tables: [syntheticPrices] });
    const before = process.cpuUsage();
    const facts = await readHistory({ walk, payer: syntheticPayer, prices });
    const seconds = secondsSince(before);
    const name = (what: string) => `audit verify --all, ${count.toLocaleString('en')} entries: ${what}`;
    return [
      figure(name('read, hashed and judged'), count / seconds, 'entries/s'),
      figure(name('a million at this rate'), (million / count) * seconds, 's', { atMost: 20 }),
      figure(name('entries that are not found to be in order'), countWrong(facts, count), 'entries', { atMost: 0 }),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeLog(blocks: BlockStore, count: number): Promise<LogHead> {
  let head: LogHead = { previous: null, frontier: new Frontier() };
  while (head.frontier.size < count) {
    const start = head.frontier.size;
    const length = Math.min(entriesPerBlock, count - start);
    const entries = Array.from({ length }, (_, at) => encodeReceipt(syntheticReceipt(start + at)));
    const cut = await cutBlock(head, entries);
    const cid = await blocks.put(cut.bytes);
    head = { previous: CID.parse(cid.toString()), frontier: cut.frontier };
  }
  return head;
}

function countWrong({ entryCount, problemCount, channels }: HistoryFacts, count: number): number {
  const missing = [...channels.values()].reduce((sum, history) => sum + history.missing.length, 0);
  return count - entryCount + problemCount + missing + Math.abs(1 - channels.size);
}
