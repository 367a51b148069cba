import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { hexOf } from './rows.ts';

/** Whose keys, in which token. */
export interface KeyOwner {
  payer: Hex;
  token: Hex;
}

/** Reads and writes `used_nonces`, and the rows of `key_channels` that are of one chain. */
export interface KeyChannelStore {
  /** The id of the channel that keys spend from. */
  find(owner: KeyOwner): Hex | undefined;
  list(payer: Hex): Hex[];
  put(owner: KeyOwner, channel: { channelId: Hex; postedAtMs: number }): void;
  /** Uses a nonce up; false if it was used before. */
  useNonce(nonce: string, times: { expiresAtMs: number; nowMs: number }): boolean;
}

/** Prepares the statements once. */
export function createKeyChannelStore(db: DatabaseSync, chainId: number): KeyChannelStore {
  const here = `chain_id = ${chainId}`;
  const find = db.prepare(`SELECT channel_id FROM key_channels WHERE payer = ? AND ${here} AND token = ?`);
  const list = db.prepare(`SELECT channel_id FROM key_channels WHERE payer = ? AND ${here} ORDER BY token`);
  const put = db.prepare(
    `INSERT INTO key_channels (chain_id, payer, token, channel_id, posted_at_ms) VALUES (${chainId}, ?, ?, ?, ?)
     ON CONFLICT (payer, chain_id, token) DO UPDATE SET channel_id = excluded.channel_id, posted_at_ms = excluded.posted_at_ms`,
  );
  const forget = db.prepare('DELETE FROM used_nonces WHERE expires_at_ms < ?');
  const use = db.prepare('INSERT INTO used_nonces (nonce, expires_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING');
  return {
    find({ payer, token }) {
      const row = find.get(fromHex(payer, 20), fromHex(token, 20));
      return row && hexOf(row, 'channel_id');
    },
    list: (payer) => list.all(fromHex(payer, 20)).map((row) => hexOf(row, 'channel_id')),
    put({ payer, token }, { channelId, postedAtMs }) {
      put.run(fromHex(payer, 20), fromHex(token, 20), fromHex(channelId, 32), postedAtMs);
    },
    useNonce(nonce, { expiresAtMs, nowMs }) {
      forget.run(nowMs);
      return use.run(nonce, expiresAtMs).changes === 1;
    },
  };
}
