import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { encodeAmount } from './amount-blob.ts';
import type { PurchaseChannel, PurchaseChannelKey } from './purchase-ledger.ts';
import { amountOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** Reads and writes the rows of `purchase_channels`. */
export interface PurchaseChannelStore {
  find(channelId: Hex): PurchaseChannel | undefined;
  /** The one in use. */
  findBy(key: PurchaseChannelKey): PurchaseChannel | undefined;
  insert(channel: PurchaseChannel): void;
  /** Writes all that can change. */
  put(channel: PurchaseChannel, isRetired?: boolean): void;
}

/** Prepares the statements once. */
export function createPurchaseChannelStore(db: DatabaseSync): PurchaseChannelStore {
  const select = db.prepare('SELECT * FROM purchase_channels WHERE channel_id = ?');
  const selectBy = db.prepare(
    `SELECT * FROM purchase_channels
     WHERE provider = ? AND chain_id = ? AND escrow = ? AND payer = ? AND token = ? AND retired = 0`,
  );
  const insert = db.prepare(
    `INSERT INTO purchase_channels (channel_id, provider, chain_id, escrow, payer, payee, token, salt_index, deposit, signed, spent,
       sequence, reserved, refills, refill_amount, low_since_ms, stopped, retired)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  );
  const update = db.prepare(
    `UPDATE purchase_channels SET deposit = ?, signed = ?, spent = ?, sequence = ?, reserved = ?, refills = ?, refill_amount = ?,
       low_since_ms = ?, stopped = ?, retired = max(retired, ?) WHERE channel_id = ?`,
  );
  const moneyOf = ({ deposit, signed, spent, sequence, reserved, refills, refillAmount }: PurchaseChannel) => [
    ...[encodeAmount(deposit), encodeAmount(signed), encodeAmount(spent), sequence, encodeAmount(reserved)],
    ...[refills, refillAmount === null ? null : encodeAmount(refillAmount)],
  ];
  return {
    find(channelId) {
      const row = select.get(fromHex(channelId, 32));
      return row && channelOf(row);
    },
    findBy({ provider, chainId, escrow, payer, token }) {
      const row = selectBy.get(provider, chainId, fromHex(escrow, 20), fromHex(payer, 20), fromHex(token, 20));
      return row && channelOf(row);
    },
    insert(channel) {
      const { channelId, provider, chainId, escrow, payer, payee, token, saltIndex, lowSinceMs, stopped } = channel;
      const parties = [escrow, payer, payee, token].map((address) => fromHex(address, 20));
      insert.run(
        ...[fromHex(channelId, 32), provider, chainId, ...parties, saltIndex],
        ...[...moneyOf(channel), lowSinceMs, stopped],
      );
    },
    put(channel, isRetired = false) {
      const { channelId, lowSinceMs, stopped } = channel;
      update.run(...moneyOf(channel), lowSinceMs, stopped, Number(isRetired), fromHex(channelId, 32));
    },
  };
}

function channelOf(row: Row): PurchaseChannel {
  return {
    channelId: hexOf(row, 'channel_id'),
    provider: textOf(row, 'provider'),
    chainId: numberOf(row, 'chain_id'),
    escrow: hexOf(row, 'escrow'),
    payer: hexOf(row, 'payer'),
    payee: hexOf(row, 'payee'),
    token: hexOf(row, 'token'),
    saltIndex: numberOf(row, 'salt_index'),
    deposit: amountOf(row, 'deposit'),
    signed: amountOf(row, 'signed'),
    spent: amountOf(row, 'spent'),
    sequence: numberOf(row, 'sequence'),
    reserved: amountOf(row, 'reserved'),
    refills: numberOf(row, 'refills'),
    refillAmount: row['refill_amount'] === null ? null : amountOf(row, 'refill_amount'),
    lowSinceMs: row['low_since_ms'] === null ? null : numberOf(row, 'low_since_ms'),
    stopped: row['stopped'] === null ? null : textOf(row, 'stopped'),
  };
}
