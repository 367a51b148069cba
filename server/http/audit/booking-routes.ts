import type { RequestHandler } from 'express';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { AuditQueries, BookingPiece } from '../../ledger/queries/audit-queries.ts';
import type { Cursors } from './cursors.ts';
import { bookingsQuerySchema, readAuditQuery } from './read-audit-query.ts';
import { limitTo, readAsker, type AskerDeps } from './read-asker.ts';

/** What the route of bookings needs. */
export interface BookingRoutesDeps extends AskerDeps {
  queries: Pick<AuditQueries, 'listBookings'>;
  cursors: Cursors;
}

/**
 * `GET /v1/audit/bookings`: what was taken from payers and booked on the chain, newest first unless asked otherwise. A payer sees the
 * bookings that its charges are in, and of each only its own spends and refunds; the whole stands in the booking's transaction.
 *
 * @throws AutoPayError `forbidden`, `login_required`, `invalid_request`, `unsupported_parameter`
 */
export function createBookingsHandler({ queries, cursors, ...deps }: BookingRoutesDeps): RequestHandler {
  return async (request, response) => {
    const asker = await readAsker(request, deps);
    const { payer, chain_id: chainId, order, cursor, limit } = readAuditQuery(request, bookingsQuerySchema);
    if (asker.kind === 'payer' && asker.keyId !== null) {
      throw new AutoPayError(
        'forbidden',
        'Bookings are of all keys of a payer. Log in with the wallet, or use a key with "manages": true.',
      );
    }
    const wanted = { ...(payer !== undefined && { payer }), ...(chainId !== undefined && { chainId }) };
    const filter = limitTo(asker, wanted, deps);
    const asked = { ...filter, order, list: 'bookings' };
    const begin = cursor === undefined ? null : cursors.read(asked, cursor);
    const rows: string[] = [];
    let next: number | null = begin;
    let newest = 0;
    do {
      const at: { at?: number } = next === null ? {} : { at: next };
      const piece: BookingPiece = await queries.listBookings({ ...filter, order, limit: limit - rows.length, ...at });
      rows.push(...piece.rows);
      ({ next, newest } = piece);
    } while (next !== null && rows.length < limit);
    const place = next ?? (order === 'asc' ? Math.max(newest + 1, begin ?? 0) : null);
    const rest = { hasMore: next !== null, nextCursor: place === null ? null : cursors.write(asked, place) };
    response
      .setHeader('cache-control', 'no-store')
      .type('application/json')
      .send(`{"object":"list","data":[${rows.join(',')}],${JSON.stringify(rest).slice(1)}`);
  };
}
