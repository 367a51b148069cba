import type { RequestHandler, Response } from 'express';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { LogTree } from '../../audit/log-tree.ts';
import type { AuditQueries } from '../../ledger/queries/audit-queries.ts';
import { joinLines } from './join-lines.ts';
import {
  consistencyQuerySchema,
  entriesQuerySchema,
  inclusionQuerySchema,
  readAuditQuery,
} from './read-audit-query.ts';

/** The signed log, as proofs need it. */
export type ProofLog = Pick<LogTree, 'newestCheckpoint' | 'root' | 'inclusionProof' | 'consistencyProof'>;

/** What the public routes of the log need. */
export interface LogRoutesDeps {
  queries: Pick<AuditQueries, 'listEntries' | 'findLeaf'>;
  log: ProofLog;
}

/** What cannot change any more may be kept for ever; the rest is asked for each time. */
function setCache(response: Response, isFinal: boolean): void {
  response.setHeader('cache-control', isFinal ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.type('application/json');
}

/**
 * `GET /v1/audit/entries`: entries of the log from a position on, with their leaf hashes; for everybody. Entries hold neither prompts
 * nor answers, only commitments to them.
 *
 * @throws AutoPayError `invalid_request`, `unsupported_parameter`
 */
export function createEntriesHandler({ queries }: LogRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { from, limit } = readAuditQuery(request, entriesQuerySchema);
    const { text, count } = await queries.listEntries({ from, limit });
    setCache(response, count === limit);
    response.send(`{"object":"list","data":[${joinLines(text)}],"next":${from + count}}`);
  };
}

/**
 * `GET /v1/audit/proof/inclusion`: that an entry stands at its index in the log of a size: the newest checkpoint's unless named. For
 * everybody.
 *
 * @throws AutoPayError `invalid_request`, `unsupported_parameter`, `not_found`
 */
export function createInclusionHandler({ queries, log }: LogRoutesDeps): RequestHandler {
  return async (request, response) => {
    const query = readAuditQuery(request, inclusionQuerySchema);
    if ((query.index === undefined) === (query.callId === undefined)) {
      throw new AutoPayError('invalid_request', 'Name the entry by index or by callId, one of them.', {
        param: 'index',
      });
    }
    const { index: asked = 0, callId } = query;
    const leaf = await queries.findLeaf(callId === undefined ? { index: asked } : { callId });
    if (!leaf) {
      const [what, param] = callId === undefined ? [`no entry ${asked} yet`, 'index'] : ['no such call', 'callId'];
      throw new AutoPayError('not_found', `The log has ${what}. Ask again once it was charged.`, { param });
    }
    const { index, leafHash } = leaf;
    const size = sizeIn(log, query.size, 'size');
    if (index >= size) {
      const message = `A log of ${size} entries has no entry ${index}. Ask again once a checkpoint covers it.`;
      throw new AutoPayError('not_found', message, { param: 'index' });
    }
    const [root, path] = await Promise.all([log.root(size), log.inclusionProof(index, size)]);
    setCache(response, query.size !== undefined && query.index !== undefined);
    const proof = { size, root: toHex(root), index, leafHash: toHex(leafHash), path: path.map(toHex) };
    response.send(JSON.stringify({ object: 'inclusion_proof', ...proof }));
  };
}

/**
 * `GET /v1/audit/proof/consistency`: that the log of one size begins with that of another; the larger is the newest checkpoint's
 * unless named. For everybody.
 *
 * @throws AutoPayError `invalid_request`, `unsupported_parameter`, `not_found`
 */
export function createConsistencyHandler({ log }: LogRoutesDeps): RequestHandler {
  return async (request, response) => {
    const query = readAuditQuery(request, consistencyQuerySchema);
    const to = sizeIn(log, query.to, 'to');
    const { from } = query;
    if (from < 1 || from > to) {
      throw new AutoPayError('invalid_request', `from has to be from 1 to ${to}, the larger size.`, { param: 'from' });
    }
    const [older, newer, path] = await Promise.all([log.root(from), log.root(to), log.consistencyProof(from, to)]);
    setCache(response, query.to !== undefined);
    const proof = {
      ...{ from: { size: from, root: toHex(older) }, to: { size: to, root: toHex(newer) } },
      path: path.map(toHex),
    };
    response.send(JSON.stringify({ object: 'consistency_proof', ...proof }));
  };
}

/** The size that was asked for, or the newest checkpoint's, beyond which nothing is proved. */
function sizeIn(log: ProofLog, asked: number | undefined, param: string): number {
  const { size: newest } = log.newestCheckpoint();
  const size = asked ?? newest;
  if (newest > 0 && size >= 1 && size <= newest) return size;
  const message =
    newest === 0
      ? 'The log has no entries yet. Ask again once a call was charged.'
      : `The newest checkpoint has ${newest} entries. Ask for a size from 1 to that.`;
  throw new AutoPayError('not_found', message, { param, facts: { size: newest } });
}
