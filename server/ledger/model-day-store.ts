import type { DatabaseSync } from 'node:sqlite';
import { encodeAmount } from './amount-blob.ts';
import type { RowCaches } from './row-cache.ts';
import { amountOf } from './rows.ts';

/** What a model has spent of its budget of one UTC day, AGPT wei. */
export interface ModelDay {
  model: string;
  /** Days since 1970-01-01 UTC. */
  day: number;
  charged: bigint;
  /** Sum of the open reservations. */
  reserved: bigint;
}

/** Reads and writes the rows of `model_days`. */
export interface ModelDayStore {
  /** A day without spending has no row, and is all zero. */
  get(model: string, day: number): ModelDay;
  /** @throws AutoPayError `internal_error` if a sum leaves 0 … 2^128 − 1. */
  put(modelDay: ModelDay): void;
}

/** Prepares the statements once. */
export function createModelDayStore(db: DatabaseSync, caches: RowCaches): ModelDayStore {
  const select = db.prepare('SELECT charged_agpt, reserved_agpt FROM model_days WHERE model = ? AND day = ?');
  const upsert = db.prepare(
    `INSERT INTO model_days (model, day, charged_agpt, reserved_agpt) VALUES (?, ?, ?, ?)
     ON CONFLICT (model, day) DO UPDATE SET charged_agpt = excluded.charged_agpt, reserved_agpt = excluded.reserved_agpt`,
  );
  const rows = caches.create<ModelDay>(({ model, day, charged, reserved }) =>
    upsert.run(model, day, encodeAmount(charged), encodeAmount(reserved)),
  );

  return {
    get(model, day) {
      const known = rows.get(`${day} ${model}`, () => {
        const row = select.get(model, day);
        if (row === undefined) return undefined;
        return { model, day, charged: amountOf(row, 'charged_agpt'), reserved: amountOf(row, 'reserved_agpt') };
      });
      return known ?? { model, day, charged: 0n, reserved: 0n };
    },
    put: (modelDay) => rows.put(`${modelDay.day} ${modelDay.model}`, modelDay),
  };
}
