import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import type { CallFilter } from './audit-queries.ts';
import { createQuestionTable, type QuestionTable } from './create-question-table.ts';
import { maxCallsScanned } from './list-calls.ts';
import { chainIds, makeCharge, openChannel, passes, walkCalls, type KnownCharge } from './query-fixtures.ts';

const payers: readonly Hex[] = [`0x${'a1'.repeat(20)}`, `0x${'b2'.repeat(20)}`];
const keys = [null, 'key_1', 'key_2'] as const;
const models = ['gpt-4o', 'sim-small', "=cmd|' /C calc'!A0"];
const providers = ['openai', 'groq'];
const startMs = Date.UTC(2026, 10, 21, 9, 59, 59, 990);
const hourMs = 3_600_000;

let books: TestBooks;
let table: QuestionTable;
let channels: Map<string, Hex>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: startMs });
  books = openTestBooks();
  table = createQuestionTable(books.db);
  channels = new Map(
    chainIds.flatMap((chainId) =>
      payers.map((payer) => [`${chainId}/${payer}`, openChannel(books, { chainId, payer })] as const),
    ),
  );
});
afterEach(() => {
  books.close();
  vi.useRealTimers();
});

/** The same numbers in each run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function pick<T>(from: readonly T[], random: (below: number) => number): T {
  const picked = from[random(from.length)];
  if (picked === undefined) throw new RangeError('nothing to pick from');
  return picked;
}

function randomCharge(random: (below: number) => number): KnownCharge {
  const chainId = pick(chainIds, random);
  const isFree = random(8) === 0;
  const payer = isFree ? null : pick(payers, random);
  const channelId = payer === null ? null : (channels.get(`${chainId}/${payer}`) ?? null);
  const words = { model: pick(models, random), provider: pick(providers, random) };
  return makeCharge(books, { chainId, payer, channelId, keyId: pick(keys, random), ...words });
}

function randomFilter(random: (below: number) => number, times: readonly number[]): CallFilter {
  const maybe = (member: CallFilter) => (random(3) === 0 ? member : {});
  return {
    ...maybe({ chainId: pick(chainIds, random) }),
    ...maybe({ payer: pick(payers, random) }),
    ...maybe({ keyId: pick(['key_1', 'key_2', 'key_3'], random) }),
    ...maybe({ model: pick(models, random) }),
    ...maybe({ provider: pick(providers, random) }),
    ...maybe({ sinceMs: pick(times, random) }),
    ...maybe({ untilMs: pick(times, random) + random(2) }),
  };
}

describe('a walk over the charges', () => {
  it('finds what a look at every receipt finds, in both orders, though the clock jumps and the log grows', () => {
    const random = createRandom(20_261_121);
    const known: KnownCharge[] = [];
    for (let n = 0; n < 300; n += 1) {
      // Mostly forwards; sometimes across hours, and sometimes back.
      const step = pick([0, 0, 1, 20, 1_000, hourMs, -hourMs, 3 * hourMs, -2 * hourMs], random);
      vi.setSystemTime(Date.now() + step);
      known.push(randomCharge(random));
    }
    expect(known.map(({ index }) => index)).toEqual(known.map((_, index) => index));
    const times = known.map(({ receipt }) => receipt.chargedAtMs);
    let nonEmpty = 0;
    for (let n = 0; n < 400; n += 1) {
      const filter = randomFilter(random, times);
      const expected = known.filter((charge) => passes(charge, filter)).map(({ index }) => index);
      const limit = 1 + random(40);
      expect(walkCalls(table, { filter, order: 'asc', limit }), JSON.stringify(filter)).toEqual(expected);
      expect(walkCalls(table, { filter, order: 'desc', limit })).toEqual(expected.toReversed());
      nonEmpty += expected.length > 0 ? 1 : 0;
    }
    expect(nonEmpty).toBeGreaterThan(150);

    // While the log grows: upwards what comes is found too, downwards nothing comes in between; none is found twice.
    const filter = { payer: payers[0] ?? '0x' };
    const own = () => known.filter((charge) => passes(charge, filter)).map(({ index }) => index);
    const before = own();
    let left = 20;
    const grow = () => void (left > 0 && known.push(randomCharge(random)) && (left -= 1));
    expect(walkCalls(table, { filter, order: 'desc', limit: 5 }, grow)).toEqual(before.toReversed());
    left = 20;
    expect(walkCalls(table, { filter, order: 'asc', limit: 5 }, grow)).toEqual(own());
  });

  it('goes by the time of each charge, though the commit that signs several of them comes in the next hour', () => {
    const request = someReserve(null, 0n);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, 0n));
    const requests = [1, 2, 3].map(() => someReserve(null, 0n));
    books.runGroup(requests.map((argument) => ({ name: 'reserve', argument })));
    const nextHour = startMs + 10;
    for (const [index, { callId }] of requests.entries()) {
      vi.setSystemTime(nextHour - 2 + 2 * index);
      books.runner.run([{ name: 'charge', argument: someCharge(callId, 0n) }]);
    }
    expect(books.commit().every(({ ok }) => ok)).toBe(true);
    const find = (filter: CallFilter) => walkCalls(table, { filter, order: 'asc', limit: 9 });
    expect(find({ untilMs: nextHour })).toEqual([0, 1]);
    expect(find({ sinceMs: nextHour })).toEqual([2, 3]);
    expect(find({ sinceMs: nextHour - 2, untilMs: nextHour + 2 })).toEqual([1, 2]);
    expect(find({ untilMs: 0 })).toEqual([]);
    const hours = books.db.prepare('SELECT first_index FROM log_hours ORDER BY first_index').all();
    expect(hours).toEqual([{ first_index: 0 }, { first_index: 2 }]);
  });

  it('stays below the size that the log had at its beginning', () => {
    const random = createRandom(7);
    for (let n = 0; n < 10; n += 1) randomCharge(random);
    const piece = table.listCalls({ filter: {}, order: 'asc', limit: 4, below: 6, format: 'json' });
    expect(piece).toMatchObject({ count: 4, next: 4, size: 6 });
    const rest = table.listCalls({ filter: {}, order: 'asc', at: 4, limit: 4, below: 6, format: 'json' });
    expect(rest).toMatchObject({ count: 2, next: null, size: 6 });
  });

  it('looks at a bounded part of the log in each step, and goes on behind it', () => {
    const payer = payers[0] ?? '0x';
    const chainId = chainIds[0];
    const channelId = channels.get(`${chainId}/${payer}`) ?? null;
    const terms = { chainId, payer, channelId, keyId: null, provider: 'openai' };
    makeCharge(books, { ...terms, model: 'rare' });
    // Copies, because making so many takes long; what a query reads of them is whole.
    books.db.exec('PRAGMA foreign_keys = OFF');
    const names = books.db.prepare("SELECT name FROM pragma_table_info('charges')").all();
    const others = new Map([
      ['log_index', 'n'],
      ['call_id', "CAST(printf('%016d', n) AS BLOB)"],
      ['sequence', 'n + 1'],
      ['model', "'often'"],
      ['batch_index', 'n'],
    ]);
    const columns = names.map(({ name }) => others.get(String(name)) ?? String(name)).join(', ');
    books.db
      .exec(`WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${maxCallsScanned})
      INSERT INTO charges SELECT ${columns} FROM charges, counted WHERE log_index = 0`);
    for (const filter of [{ model: 'rare' }, { model: 'rare', payer }]) {
      const first = table.listCalls({ filter, order: 'desc', limit: 1, format: 'json' });
      expect(first).toMatchObject({ count: 0, next: 0 });
      const second = table.listCalls({ filter, order: 'desc', limit: 1, format: 'json', at: 0 });
      expect(second).toMatchObject({ count: 1, next: null });
    }
  });
});
