import type { Request, RequestHandler } from 'express';
import { CID } from 'multiformats/cid';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { BlockStore } from '../../audit/block-store.ts';
import { findBlock, followPath, isIdentity, walkBack, type DagBlock } from '../../audit/walk-dag.ts';
import { carType, chooseFormat, rawType, type ChosenFormat } from './choose-format.ts';
import { matchesEtag } from './matches-etag.ts';
import { parseRange } from './parse-range.ts';
import { sendCar } from './send-car.ts';
import { etagOf, sendHead, type IpfsParams, type IpfsQuestion } from './send-head.ts';

/** What the gateway works with. */
export interface IpfsHandlerOptions {
  blocks: Pick<BlockStore, 'get'>;
  /** CARs that are sent at the same time; more are refused. */
  maxStreams?: number;
  /** Raw blocks, of a million bytes at most, that are sent at the same time; more are refused. */
  maxBlocks?: number;
  /** A client that takes nothing of its answer for this long is dropped. */
  idleTimeoutMs?: number;
}

const maxCidCharacters = 256;
/** Each name may lead to one more block, and all of them are read before the answer begins. */
const maxPathNames = 8;

/**
 * `GET|HEAD /ipfs/{cid}[/{path}]`: the blocks of the audit log, as a trustless gateway serves them (IPFS Trustless Gateway
 * specification): single ones raw, with ranges, or CARs, up to the whole history. The asker checks each block against its CID.
 *
 * @throws AutoPayError `invalid_request`, `not_found`, `not_acceptable`, `precondition_failed`, `range_not_satisfiable`, `overloaded`
 */
export function createIpfsHandler(options: IpfsHandlerOptions): RequestHandler<IpfsParams> {
  const { blocks, maxStreams = 16, maxBlocks = 256, idleTimeoutMs = 60_000 } = options;
  let streams = 0;
  let sending = 0;
  return async (request, response) => {
    refuseServiceWorker(request);
    const cid = parseCid(request.params.cid);
    const query = new URL(request.url, 'http://relay').searchParams;
    const format = chooseFormat(query, request.headers.accept);
    const { path = [] } = request.params;
    if (format.name === 'raw' && path.length > 0) {
      throw new AutoPayError('invalid_request', 'A raw block has no path. Ask for its own CID, or for ?format=car.');
    }
    if (path.length > maxPathNames) {
      throw new AutoPayError(
        'invalid_request',
        `A path has at most ${maxPathNames} names. Ask for a block on its way.`,
      );
    }
    if (format.name === 'raw') {
      if (sending >= maxBlocks) throw refuseStream();
      sending += 1;
      response.once('close', () => (sending -= 1));
      response.setTimeout(idleTimeoutMs, () => response.destroy());
    }
    const root = await readRoot(blocks, cid, request);
    const asked = { request, response, query, root };
    if (format.name === 'raw') return answerRaw(asked);
    const { passed, last, isWhole } = await followPath(blocks, root, path);
    if (request.method === 'GET' && streams >= maxStreams) throw refuseStream();
    const contentType = `${carType}; version=1; order=dfs; dups=${format.dups}`;
    const headers = { 'content-type': contentType, 'accept-ranges': 'none' };
    if (sendHead(asked, { format, etag: etagOf(cid, format), roots: passed, headers })) return;
    const isWalked = format.scope === 'all' && isWhole && !isIdentity(last.cid);
    const history = isWalked ? walkBack(blocks, last) : [last];
    streams += 1;
    try {
      await sendCar(response, { root: cid, blocks: [passed.slice(0, -1), history], idleTimeoutMs });
    } finally {
      streams -= 1;
    }
  };
}

/** One raw block, or a range of its bytes. */
function answerRaw(asked: IpfsQuestion): void {
  const { request, response, root } = asked;
  const { bytes, cid } = root;
  const format: ChosenFormat = { name: 'raw' };
  const etag = etagOf(cid, format);
  // RFC 9110 §13.1.5: a range is of what the asker has, or it is not asked for.
  const { range: wanted, 'if-range': condition } = request.headers;
  const isRanged = request.method === 'GET' && (condition === undefined || condition === etag);
  const range = isRanged ? parseRange(wanted, bytes.length) : undefined;
  if (range === 'unsatisfiable' && !matchesEtag(request.headers['if-none-match'], etag)) {
    response.setHeader('content-range', `bytes */${bytes.length}`);
    throw new AutoPayError('range_not_satisfiable', `The block has ${bytes.length} bytes; none of them was asked for.`);
  }
  const { first, last } = typeof range === 'object' ? range : { first: 0, last: bytes.length - 1 };
  const headers = {
    'content-type': rawType,
    'accept-ranges': 'bytes',
    'content-length': last - first + 1,
    ...(typeof range === 'object' && { 'content-range': `bytes ${first}-${last}/${bytes.length}` }),
  };
  const status = typeof range === 'object' ? 206 : 200;
  if (sendHead(asked, { format, etag, roots: [root], headers, status })) return;
  response.end(bytes.subarray(first, last + 1));
}

async function readRoot(
  blocks: IpfsHandlerOptions['blocks'],
  cid: CID,
  { headers }: Request<IpfsParams>,
): Promise<DagBlock> {
  const bytes = await findBlock(blocks, cid);
  if (bytes) return { cid, bytes };
  const message = 'This relay does not have the block. Check the CID, or ask another gateway.';
  const isCachedOnly = headers['cache-control']?.includes('only-if-cached') === true;
  throw new AutoPayError(isCachedOnly ? 'precondition_failed' : 'not_found', message);
}

function parseCid(text: string): CID {
  try {
    if (text.length <= maxCidCharacters) return CID.parse(text);
  } catch {
    // Falls through to the one refusal.
  }
  throw new AutoPayError('invalid_request', 'This is not a CID in base32, base36 or base58btc.', { param: 'cid' });
}

/** A block is not to become a script of the whole gateway (IPFS Path Gateway specification, "Service-Worker"). */
function refuseServiceWorker({ headers }: Request<IpfsParams>): void {
  if (headers['service-worker'] !== 'script') return;
  throw new AutoPayError('invalid_request', 'No service worker can be registered for blocks.');
}

function refuseStream(): AutoPayError {
  return new AutoPayError('overloaded', 'Too many blocks are being sent. Ask again in a moment.');
}
