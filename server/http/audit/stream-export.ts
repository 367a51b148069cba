import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { AuditQueries, CallFilter, CallPiece, QueryOrder } from '../../ledger/queries/audit-queries.ts';
import { csvHeader } from '../../ledger/queries/describe-call.ts';
import { maxCallsPerPiece } from '../../ledger/queries/audit-queries.ts';

/** The most exports at one time. */
const maxExports = 8;
/** Of them, those of payers: the operator finds room, however slowly payers read. */
const maxPayersExports = 6;
/** Of them, those of one payer: a second one only while half of them are free, so that a few who read slowly keep nobody out. */
const mostOwnExports = (ofPayers: number) => (ofPayers < maxPayersExports / 2 ? 2 : 1);
/** A client that does not take a piece in this time is given up, so that none holds its place for ever. */
const stallTimeoutMs = 30_000;

/** Bounds the exports that are under way. */
export interface ExportSlots {
  /**
   * Runs an export.
   * @param payer null for the operator
   * @throws AutoPayError `rate_limit_exceeded` if as many as may of this payer are under way, `overloaded` if as many as may at all
   */
  run(payer: Hex | null, work: () => Promise<void>): Promise<void>;
}

/** Makes the slots of a relay. */
export function createExportSlots(): ExportSlots {
  /** Whose exports are under way. */
  const running: (Hex | null)[] = [];
  return {
    async run(payer, work) {
      const own = running.filter((other) => other === payer).length;
      const ofPayers = running.filter((other) => other !== null).length;
      if (payer !== null && own >= mostOwnExports(ofPayers)) {
        const message = `As many exports of this payer are under way as may be now: ${own}. Try again when one is done.`;
        throw new AutoPayError('rate_limit_exceeded', message);
      }
      const isFull = running.length >= maxExports || (payer !== null && ofPayers >= maxPayersExports);
      if (isFull) throw new AutoPayError('overloaded', 'Too many exports are under way. Try again when one is done.');
      running.push(payer);
      try {
        await work();
      } finally {
        running.splice(running.indexOf(payer), 1);
      }
    },
  };
}

const contentTypes = { csv: 'text/csv; charset=utf-8; header=present', ndjson: 'application/x-ndjson' };

/** What is exported, and to whom. */
export interface ExportOptions {
  /** Null for the operator. */
  payer: Hex | null;
  request: Request;
  response: Response;
  format: keyof typeof contentTypes;
  walk: { filter: CallFilter; order: QueryOrder; at: number | undefined };
  /** The most calls; all of them without. */
  limit: number | undefined;
  queries: Pick<AuditQueries, 'listCalls'>;
  exports: ExportSlots;
}

/**
 * Streams charges at the pace of the client, a piece at a time. `x-autopay-log-size` says how large the log was when the export began:
 * it is of that log, whatever is charged meanwhile. What fails half-way breaks the connection off, so that the client knows that the
 * export is not whole.
 *
 * @throws AutoPayError `rate_limit_exceeded`, `overloaded`, `invalid_request`, before the first byte
 */
export async function streamExport(options: ExportOptions): Promise<void> {
  const { exports, payer, limit = Infinity } = options;
  if (limit < 1) throw new AutoPayError('invalid_request', 'limit has to be at least 1.', { param: 'limit' });
  await exports.run(payer, () => stream({ ...options, limit }));
}

async function stream(options: ExportOptions & { limit: number }): Promise<void> {
  const { request, response, format, walk, limit, queries } = options;
  const read = (at: number | undefined, left: number, below?: number): Promise<CallPiece> =>
    queries.listCalls({
      ...{ filter: walk.filter, order: walk.order, format: format === 'csv' ? 'csv' : 'json' },
      limit: Math.min(left, maxCallsPerPiece),
      ...(at !== undefined && { at }),
      ...(below !== undefined && { below }),
    });
  let piece = await read(walk.at, limit);
  const { size } = piece;
  response.writeHead(200, {
    'content-type': contentTypes[format],
    'content-disposition': `attachment; filename="calls.${format}"`,
    'x-autopay-log-size': String(size),
    'x-content-type-options': 'nosniff',
  });
  if (request.method === 'HEAD') return void response.end();
  if (format === 'csv') response.write(csvHeader);
  for (let left = limit; ;) {
    await writePaced(response, piece.text);
    left -= piece.count;
    if (response.destroyed) return;
    if (piece.next === null || left <= 0) break;
    piece = await read(piece.next, left, size);
  }
  response.end();
}

/** Resolves when the client has taken what came before, or is gone. */
function writePaced(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || text === '' || response.write(text)) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stalled = setTimeout(() => response.destroy(), stallTimeoutMs);
  response.on('drain', resolve);
  response.on('close', resolve);
  return promise.finally(() => {
    clearTimeout(stalled);
    response.off('drain', resolve);
    response.off('close', resolve);
  });
}
