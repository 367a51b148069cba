import type { Request, RequestHandler } from 'express';
import type { z } from 'zod';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { AuditQueries, CallFilter, CallPiece, FoundCall, QueryOrder } from '../../ledger/queries/audit-queries.ts';
import type { Cursors } from './cursors.ts';
import { joinLines } from './join-lines.ts';
import { callsQuerySchema, maxCallsPerPage, readAuditQuery } from './read-audit-query.ts';
import { limitTo, readAsker, type AskerDeps } from './read-asker.ts';
import { streamExport, type ExportSlots } from './stream-export.ts';

/** What the routes of calls need. */
export interface CallRoutesDeps extends AskerDeps {
  queries: Pick<AuditQueries, 'listCalls' | 'findCall'>;
  cursors: Cursors;
  exports: ExportSlots;
}

type CallsQuery = z.output<typeof callsQuerySchema>;

const defaultLimit = 100;
/** A page ends here, full or not, so that a rare model does not have the whole log read by one request. */
const maxPiecesPerPage = 25;

/**
 * `GET /v1/audit/calls`: charges with their receipts, newest first unless asked otherwise; a page of JSON, or all of them as CSV or
 * NDJSON. A payer sees its own, the operator all.
 *
 * @throws AutoPayError `forbidden`, `login_required`, `invalid_request`, `unsupported_parameter`, `rate_limit_exceeded`, `overloaded`
 */
export function createCallsHandler(deps: CallRoutesDeps): RequestHandler {
  return async (request, response) => {
    const asker = await readAsker(request, deps);
    const query = readAuditQuery(request, callsQuerySchema);
    const walk = planWalk(deps, { query, filter: { ...filterOf(query), ...limitTo(asker, wantedOf(query), deps) } });
    const format = query.format ?? acceptedFormat(request);
    response.setHeader('cache-control', 'no-store');
    response.setHeader('vary', 'Accept, Authorization');
    const payer = asker.kind === 'operator' ? null : asker.payer;
    if (format !== 'json') return streamExport({ payer, request, response, format, walk, limit: query.limit, ...deps });
    const limit = requireLimit(query.limit ?? defaultLimit);
    response.type('application/json').send(await readPage(deps, { walk, limit }));
  };
}

/** A walk over the charges that pass a filter. */
export interface Walk {
  filter: CallFilter;
  order: QueryOrder;
  at: number | undefined;
}

function planWalk({ cursors }: CallRoutesDeps, { query, filter }: { query: CallsQuery; filter: CallFilter }): Walk {
  const { order, cursor, from } = query;
  if (cursor === undefined) return { filter, order, at: from };
  if (from !== undefined) {
    throw new AutoPayError('invalid_request', 'A cursor says where to go on. Leave from out.', { param: 'from' });
  }
  return { filter, order, at: cursors.read({ ...filter, order }, cursor) };
}

/** What of the query says whose calls. */
function wantedOf({ payer, key_id: keyId, chain_id: chainId }: CallsQuery): CallFilter {
  return {
    ...(payer !== undefined && { payer }),
    ...(keyId !== undefined && { keyId }),
    ...(chainId !== undefined && { chainId }),
  };
}

function filterOf({ model, provider, since, until }: CallsQuery): CallFilter {
  if (since !== undefined && until !== undefined && since >= until) {
    throw new AutoPayError('invalid_request', 'Nothing is from since on and before until. Swap them.', {
      param: 'until',
    });
  }
  return {
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(since !== undefined && { sinceMs: since }),
    ...(until !== undefined && { untilMs: until }),
  };
}

function acceptedFormat(request: Request): 'json' | 'ndjson' | 'csv' {
  const accepted = request.accepts(['application/json', 'text/csv', 'application/x-ndjson']);
  return accepted === 'text/csv' ? 'csv' : accepted === 'application/x-ndjson' ? 'ndjson' : 'json';
}

function requireLimit(limit: number): number {
  if (limit >= 1 && limit <= maxCallsPerPage) return limit;
  const message = `limit has to be from 1 to ${maxCallsPerPage.toLocaleString('en-US')}. Go on with the cursor, or ask for CSV or NDJSON.`;
  throw new AutoPayError('invalid_request', message, { param: 'limit' });
}

async function readPage(
  { queries, cursors }: CallRoutesDeps,
  { walk, limit }: { walk: Walk; limit: number },
): Promise<string> {
  const { filter, order } = walk;
  const pieces: CallPiece[] = [];
  let next: number | null = walk.at ?? null;
  let left = limit;
  do {
    const at: { at?: number } = next === null ? {} : { at: next };
    const piece: CallPiece = await queries.listCalls({ filter, order, limit: left, format: 'json', ...at });
    pieces.push(piece);
    left -= piece.count;
    next = piece.next;
  } while (next !== null && left > 0 && pieces.length < maxPiecesPerPage);
  const size = pieces.at(-1)?.size ?? 0;
  // What is charged later stands behind the end: whoever goes upwards may ask again from there.
  const place = next ?? (order === 'asc' ? Math.max(size, walk.at ?? 0) : null);
  const rows = pieces.map(({ text }) => text).join('');
  const rest = {
    hasMore: next !== null,
    nextCursor: place === null ? null : cursors.write({ ...filter, order }, place),
    logSize: size,
  };
  return `{"object":"list","data":[${joinLines(rows)}],${JSON.stringify(rest).slice(1)}`;
}

/**
 * `GET /v1/audit/receipts/{callId}`: one charge as above, with `signedReceipt` (the value of `x-autopay-receipt`, salts included) and
 * how far it is: in the log, and as money. For its payer, its API key, and the operator.
 *
 * @throws AutoPayError `forbidden`, `login_required`, `not_found`
 */
export function createReceiptHandler(deps: CallRoutesDeps): RequestHandler<{ callId: string }> {
  return async (request, response) => {
    const found = await findOwnCall(deps, request);
    response.setHeader('cache-control', 'no-store').type('application/json').send(found.json);
  };
}

/**
 * The charge that a request names, if it is for whoever asks.
 * @throws AutoPayError `forbidden`, `login_required`, `not_found`
 */
export async function findOwnCall(
  deps: AskerDeps & { queries: Pick<AuditQueries, 'findCall'> },
  request: Request<{ callId: string }>,
): Promise<FoundCall> {
  const asker = await readAsker(request, deps);
  const found = await deps.queries.findCall(request.params.callId);
  const isOnChain = found !== undefined && (deps.showsAllChains || found.chainId === deps.chainId);
  const isOwn =
    asker.kind === 'operator'
      ? isOnChain
      : found?.chainId === deps.chainId &&
        found.payer === asker.payer &&
        (asker.keyId === null || found.keyId === asker.keyId);
  if (found && isOwn) return found;
  const message = 'There is no receipt of a call with this id, or it is of another payer. Log in as the payer.';
  throw new AutoPayError('not_found', message, { param: 'callId' });
}
