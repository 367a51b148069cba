import type { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex } from '../../protocol/bytes/hex.ts';
import { formatCallId } from '../../protocol/receipt/call-id.ts';
import type { LoggedEntry, StoredAnchor, StoredBlock } from './background-ledger.ts';
import { bytesOf, numberOf, textOf, type Row } from './rows.ts';

const hashBytes = 32;

/** Reads and writes what the audit log has beyond the charges themselves: `blocks`, and the `anchors` on one chain. */
export interface LogStore {
  listEntries(from: number, limit: number): LoggedEntry[];
  listLeafHashes(from: number, limit: number): Uint8Array[];
  lastBlock(): StoredBlock | undefined;
  findBlockByStart(start: number): StoredBlock | undefined;
  /** The block that ends with the log at this size. */
  findBlock(size: number): StoredBlock | undefined;
  insertBlock(block: StoredBlock): void;
  lastAnchor(): StoredAnchor | undefined;
  /** The first block beyond the last anchor that has a transaction `anchor:<size>` which did not revert. */
  findSentAnchor(): StoredBlock | undefined;
  findAnchor(size: number): StoredAnchor | undefined;
  /** The oldest anchor that covers this position. */
  findAnchorOf(index: number): StoredAnchor | undefined;
  insertAnchor(anchor: StoredAnchor): void;
  deleteAnchor(size: number): void;
}

function blockOf(row: Row): StoredBlock {
  const frontier = bytesOf(row, 'frontier');
  return {
    start: numberOf(row, 'start'),
    size: numberOf(row, 'size'),
    cid: textOf(row, 'cid'),
    root: bytesOf(row, 'root'),
    frontier: Array.from({ length: frontier.length / hashBytes }, (_, index) =>
      frontier.slice(index * hashBytes, (index + 1) * hashBytes),
    ),
  };
}

function anchorOf(row: Row): StoredAnchor {
  return { size: numberOf(row, 'size'), transactionHash: toHex(bytesOf(row, 'transaction_hash')) };
}

/** Prepares the statements once. */
export function createLogStore(db: DatabaseSync, chainId: number): LogStore {
  const here = `chain_id = ${chainId}`;
  const entries = db.prepare(
    'SELECT log_index, call_id, entry FROM charges WHERE log_index >= ? ORDER BY log_index LIMIT ?',
  );
  const leafHashes = db.prepare('SELECT leaf_hash FROM charges WHERE log_index >= ? ORDER BY log_index LIMIT ?');
  const lastBlock = db.prepare('SELECT * FROM blocks ORDER BY start DESC LIMIT 1');
  const blockByStart = db.prepare('SELECT * FROM blocks WHERE start = ?');
  const blockBySize = db.prepare('SELECT * FROM blocks WHERE size = ?');
  const insertBlock = db.prepare('INSERT INTO blocks (start, size, cid, root, frontier) VALUES (?, ?, ?, ?, ?)');
  const lastAnchor = db.prepare(`SELECT * FROM anchors WHERE ${here} ORDER BY size DESC LIMIT 1`);
  const sentAnchor = db.prepare(
    `SELECT blocks.* FROM blocks JOIN transactions ON purpose = 'anchor:' || size AND status <> 'reverted' AND ${here}
     WHERE size > (SELECT ifnull(max(size), 0) FROM anchors WHERE ${here}) ORDER BY size LIMIT 1`,
  );
  const anchorBySize = db.prepare(`SELECT * FROM anchors WHERE ${here} AND size = ?`);
  const anchorAbove = db.prepare(`SELECT * FROM anchors WHERE ${here} AND size > ? ORDER BY size LIMIT 1`);
  const deleteAnchor = db.prepare(`DELETE FROM anchors WHERE ${here} AND size = ?`);
  const insertAnchor = db.prepare(`INSERT INTO anchors (chain_id, size, transaction_hash) VALUES (${chainId}, ?, ?)`);

  function one<T>(row: Row | undefined, read: (row: Row) => T): T | undefined {
    return row === undefined ? undefined : read(row);
  }

  return {
    listEntries: (from, limit) =>
      entries.all(from, limit).map((row) => ({
        index: numberOf(row, 'log_index'),
        callId: formatCallId(bytesOf(row, 'call_id')),
        entry: bytesOf(row, 'entry'),
      })),
    listLeafHashes: (from, limit) => leafHashes.all(from, limit).map((row) => bytesOf(row, 'leaf_hash')),
    lastBlock: () => one(lastBlock.get(), blockOf),
    findBlockByStart: (start) => one(blockByStart.get(start), blockOf),
    findBlock: (size) => one(blockBySize.get(size), blockOf),
    insertBlock({ start, size, cid, root, frontier }) {
      insertBlock.run(start, size, cid, root, Buffer.concat(frontier));
    },
    lastAnchor: () => one(lastAnchor.get(), anchorOf),
    findSentAnchor: () => one(sentAnchor.get(), blockOf),
    findAnchor: (size) => one(anchorBySize.get(size), anchorOf),
    findAnchorOf: (index) => one(anchorAbove.get(index), anchorOf),
    insertAnchor({ size, transactionHash }) {
      insertAnchor.run(size, fromHex(transactionHash, 32));
    },
    deleteAnchor: (size) => void deleteAnchor.run(size),
  };
}
