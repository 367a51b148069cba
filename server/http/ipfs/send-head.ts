import type { Request, Response } from 'express';
import type { CID } from 'multiformats/cid';
import type { DagBlock } from '../../audit/walk-dag.ts';
import type { ChosenFormat } from './choose-format.ts';
import { matchesEtag } from './matches-etag.ts';
import { nameFile } from './name-file.ts';

/** Of `/ipfs/:cid` and `/ipfs/:cid/*path`. */
export interface IpfsParams {
  cid: string;
  path?: string[];
  [name: string]: string | string[] | undefined;
}

/** One question, and what it is answered from. */
export interface IpfsQuestion {
  request: Request<IpfsParams>;
  response: Response;
  query: URLSearchParams;
  root: DagBlock;
}

/** Sends the head of an answer; true if that is all of it, because the asker has it already, or asked for no more. */
export function sendHead(
  { request, response, query, root }: IpfsQuestion,
  answer: {
    format: ChosenFormat;
    etag: string;
    roots: readonly DagBlock[];
    headers: Record<string, string | number>;
    status?: number;
  },
): boolean {
  const { format, etag, roots, headers, status = 200 } = answer;
  const lasting = {
    etag,
    'cache-control': 'public, max-age=29030400, immutable',
    vary: 'Accept',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': '*',
    'x-ipfs-path': request.path,
    'x-ipfs-roots': roots.map(({ cid }) => cid.toString()).join(','),
    ...(query.get('format') === null && { 'content-location': locate(request, format) }),
  };
  if (matchesEtag(request.headers['if-none-match'], etag)) {
    response.writeHead(304, lasting).end();
    return true;
  }
  const extension = format.name === 'raw' ? 'bin' : 'car';
  response.writeHead(status, {
    ...lasting,
    ...headers,
    'content-disposition': nameFile(query.get('filename'), `${root.cid.toString()}.${extension}`),
    'x-content-type-options': 'nosniff',
  });
  if (request.method === 'HEAD') response.end();
  return request.method === 'HEAD';
}

/** Where the same answer is, whatever is accepted: caches keep its formats apart by it. */
function locate({ originalUrl }: Request<IpfsParams>, format: ChosenFormat): string {
  const { pathname, searchParams } = new URL(originalUrl, 'http://relay');
  searchParams.set('format', format.name);
  if (format.name === 'car' && format.dups === 'y') searchParams.set('car-dups', 'y');
  return `${pathname}?${searchParams.toString()}`;
}

/**
 * Every answer is the same to the byte each time, so the tag is a strong one. That of a range is the tag of the whole block (RFC 9110
 * §15.3.7), where the gateway specification would add the range: `If-Range` could not work then.
 */
export function etagOf(cid: CID, format: ChosenFormat): string {
  if (format.name === 'raw') return `"${cid.toString()}.raw"`;
  const { dups, entityBytes, scope } = format;
  return `"${scope}${entityBytes === null ? '' : `.${entityBytes}`}.dups-${dups}.${cid.toString()}.car"`;
}
