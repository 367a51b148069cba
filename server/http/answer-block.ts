import type { RequestHandler } from 'express';
import { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BlockStore } from '../audit/block-store.ts';

const rawType = 'application/vnd.ipld.raw';

/**
 * `GET /ipfs/{cid}`: one raw block of the audit log, as a trustless gateway serves it (IPFS Trustless Gateway
 * specification). The asker checks it against its CID.
 *
 * @throws AutoPayError `invalid_request`, `not_found`
 */
export function createBlockHandler(blocks: Pick<BlockStore, 'get'>): RequestHandler<{ cid: string }> {
  return async (request, response) => {
    const cid = parseCid(request.params.cid);
    const format = new URL(request.url, 'http://relay').searchParams.get('format');
    const isAccepted = format === null ? Boolean(request.accepts(rawType)) : format === 'raw';
    if (!isAccepted) {
      const message = `Only raw blocks are served. Ask with ?format=raw or "Accept: ${rawType}".`;
      throw new AutoPayError('invalid_request', message);
    }
    const bytes = await blocks.get(cid);
    if (!bytes)
      throw new AutoPayError('not_found', 'This relay does not have the block. Check the CID, or ask another gateway.');
    const etag = `"${cid.toString()}.raw"`;
    response.setHeader('etag', etag);
    response.setHeader('cache-control', 'public, max-age=29030400, immutable');
    response.setHeader('access-control-allow-origin', '*');
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
    response.writeHead(200, {
      'content-type': rawType,
      'content-length': bytes.length,
      'content-disposition': `attachment; filename="${cid.toString()}.bin"`,
      'x-content-type-options': 'nosniff',
    });
    response.end(bytes);
  };
}

function parseCid(text: string): CID {
  try {
    // The store names blocks by the usual text form, so only that can be found; it also keeps paths out of the name.
    const cid = CID.parse(text.slice(0, 128));
    if (cid.version === 1 && cid.toString() === text) return cid;
  } catch {
    // Falls through to the one refusal.
  }
  throw new AutoPayError('invalid_request', 'This is not a CID of version 1 in base32.', { param: 'cid' });
}
