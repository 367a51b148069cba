import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { fromHex } from '../../../protocol/bytes/hex.ts';
import { numberOf, type Row } from '../rows.ts';
import { maxCallsPerPiece, type CallFilter, type CallQuery, type QueryOrder } from './audit-queries.ts';

/** The most charges that one question looks at, found or not. */
export const maxCallsScanned = 2_000;

const hourMs = 3_600_000;
/** When a call was charged, in its entry: the last 8 bytes of the fourth word behind the offset word, as `encodeReceipt` writes it. */
const chargedAt = `substr(entry, ${32 * 5 - 8 + 1}, 8)`;

/** Rows of `charges`, and where to go on. */
export interface CallRows {
  rows: Row[];
  /** Null after the last. */
  next: number | null;
  size: number;
}

/** Positions from `from` up to, and without, `to`. */
interface Range {
  from: number;
  to: number;
}

/** By which index the charges are found: the narrowest. */
type Path = 'key' | 'payer' | 'all';

const columns = 'log_index, call_id, charges.chain_id, charges.payer, key_id, leaf_hash, entry';

/** Finds charges by their filter, some at a time, in the order of the log or against it. */
export function createCallLister(db: DatabaseSync): (query: Omit<CallQuery, 'format'>) => CallRows {
  const selectSize = db.prepare('SELECT coalesce(max(log_index), -1) + 1 AS size FROM charges');
  const narrowToTimes = createTimeNarrower(db);
  const prepare = createStatementCache(db);

  /** The part of a range that holds the next `maxCallsScanned` charges of a path. */
  function nextWindow({ filter, order }: Pick<CallQuery, 'filter' | 'order'>, range: Range): Range {
    const path = pathOf(filter);
    if (path === 'all') {
      return order === 'asc'
        ? { from: range.from, to: Math.min(range.to, range.from + maxCallsScanned) }
        : { from: Math.max(range.from, range.to - maxCallsScanned), to: range.to };
    }
    const row = prepare(windowSql(path, order)).get(...pathValues(path, filter), range.from, range.to, maxCallsScanned);
    if (row === undefined || numberOf(row, 'count') < maxCallsScanned) return range;
    return order === 'asc'
      ? { from: range.from, to: numberOf(row, 'last') + 1 }
      : { from: numberOf(row, 'first'), to: range.to };
  }

  return function listCalls({ filter, order, at, below, limit }) {
    const size = Math.min(numberOf(selectSize.get() ?? {}, 'size'), below ?? Infinity);
    const whole = cutAt(narrowToTimes(filter, { from: 0, to: size }), order, at);
    if (whole.from >= whole.to) return { rows: [], next: null, size };
    const window = nextWindow({ filter, order }, whole);
    const most = Math.min(limit, maxCallsPerPiece);
    const { sql, values } = selectSql(filter, order);
    const rows = prepare(sql).all(window.from, window.to, ...values, most);
    const last = rows.length < most ? undefined : rows.at(-1);
    if (order === 'asc') {
      const next = last === undefined ? window.to : numberOf(last, 'log_index') + 1;
      return { rows, next: next < whole.to ? next : null, size };
    }
    const next = last === undefined ? window.from - 1 : numberOf(last, 'log_index') - 1;
    return { rows, next: next >= whole.from ? next : null, size };
  };
}

/** What of a range is still to be looked at. */
function cutAt(range: Range, order: QueryOrder, at: number | undefined): Range {
  if (at === undefined) return range;
  return order === 'asc'
    ? { from: Math.max(range.from, at), to: range.to }
    : { from: range.from, to: Math.min(range.to, at + 1) };
}

/** Charges are in the order of the log, but the clock may have been set back: so hours are runs of positions, and may come twice. */
function createTimeNarrower(db: DatabaseSync) {
  const select = db.prepare(
    `SELECT min(first_index) AS first, max(next_index) AS next FROM (
       SELECT first_index, hour, lead(first_index, 1, 9007199254740991) OVER (ORDER BY first_index) AS next_index FROM log_hours
     ) WHERE hour BETWEEN ? AND ?`,
  );
  return function narrowToTimes({ sinceMs, untilMs }: CallFilter, range: Range): Range {
    if (sinceMs === undefined && untilMs === undefined) return range;
    const [since, until] = [sinceMs ?? 0, untilMs ?? Number.MAX_SAFE_INTEGER];
    const row = select.get(Math.floor(since / hourMs), Math.floor((until - 1) / hourMs)) ?? {};
    if (row['first'] === null) return { from: 0, to: 0 };
    const [first, next] = [numberOf(row, 'first'), numberOf(row, 'next')];
    return { from: Math.max(range.from, first), to: Math.min(range.to, next) };
  };
}

function pathOf({ keyId, payer }: CallFilter): Path {
  if (keyId !== undefined) return 'key';
  return payer === undefined ? 'all' : 'payer';
}

function pathValues(path: Path, { keyId = '', payer = '0x' }: CallFilter): SQLInputValue[] {
  if (path === 'all') return [];
  return [path === 'key' ? keyId : fromHex(payer, 20)];
}

const direction = (order: QueryOrder) => (order === 'asc' ? 'ASC' : 'DESC');

/** Reads the index alone, not the charges. */
function windowSql(path: Exclude<Path, 'all'>, order: QueryOrder): string {
  const [index, column] = path === 'key' ? ['charges_by_key', 'key_id'] : ['charges_by_payer', 'payer'];
  return `SELECT count(*) AS count, min(log_index) AS first, max(log_index) AS last FROM (
    SELECT log_index FROM charges INDEXED BY ${index} WHERE ${column} = ? AND log_index >= ? AND log_index < ?
    ORDER BY log_index ${direction(order)} LIMIT ?)`;
}

/** The charges of a window that pass the filter. The index is named, because a window may span much of the log. */
function selectSql(filter: CallFilter, order: QueryOrder): { sql: string; values: SQLInputValue[] } {
  const { chainId, payer, keyId, model, provider, sinceMs, untilMs } = filter;
  const hint = { key: 'INDEXED BY charges_by_key', payer: 'INDEXED BY charges_by_payer', all: '' }[pathOf(filter)];
  const conditions: [string, SQLInputValue | undefined][] = [
    ['key_id = ?', keyId],
    ['charges.payer = ?', payer === undefined ? undefined : fromHex(payer, 20)],
    ['charges.chain_id = ?', chainId],
    ['model = ?', model],
    ['provider = ?', provider],
    [`${chargedAt} >= ?`, sinceMs === undefined ? undefined : encodeTime(sinceMs)],
    [`${chargedAt} < ?`, untilMs === undefined ? undefined : encodeTime(untilMs)],
  ];
  const asked = conditions.filter(([, value]) => value !== undefined);
  const where = asked.map(([condition]) => ` AND ${condition}`).join('');
  return {
    sql: `SELECT ${columns} FROM charges ${hint} WHERE log_index >= ? AND log_index < ?${where} ORDER BY log_index ${direction(order)} LIMIT ?`,
    values: asked.flatMap(([, value]) => (value === undefined ? [] : [value])),
  };
}

/** Big-endian bytes are in the order of the numbers. */
function encodeTime(timeMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(Math.max(0, timeMs)));
  return bytes;
}

/** The statements are few: one for each set of filters and each order. */
function createStatementCache(db: DatabaseSync): (sql: string) => StatementSync {
  const prepared = new Map<string, StatementSync>();
  return (sql) => {
    const statement = prepared.get(sql) ?? db.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
}
