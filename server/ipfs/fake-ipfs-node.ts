import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { cidOfBlock } from '../../protocol/log/batch-block.ts';

/** What a node was asked. */
interface Asked {
  command: string;
  query: URLSearchParams;
  authorization: string | undefined;
}

/** A node that speaks as much of Kubo's RPC API as the relay asks of it, and no more: a wrong option is an error. */
export interface FakeIpfsNode {
  url: string;
  blocks: Map<string, Buffer>;
  /** CIDs by kind of pin. */
  pins: Map<string, 'direct' | 'recursive'>;
  asked: Asked[];
  /** Answers instead of the node, if it returns true. */
  intercept: (command: string, response: ServerResponse, cid: string) => boolean;
  close(): Promise<void>;
}

/** Starts a node on a port, which is free unless it is given. */
export async function startFakeIpfsNode(port = 0): Promise<FakeIpfsNode> {
  const server = createServer((request, response) => void answer(node, request, response));
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  const node: FakeIpfsNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    blocks: new Map(),
    pins: new Map(),
    asked: [],
    intercept: () => false,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return node;
}

/** An error as Kubo answers it. */
export function answerFailure(response: ServerResponse, message: string, status = 500): true {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ Message: message, Code: 0, Type: 'error' }));
  return true;
}

/** A success as Kubo answers it. */
export function answerJson(response: ServerResponse, body: object): true {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
}

async function answer(node: FakeIpfsNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://node');
  const command = pathname.replace('/api/v0/', '');
  const { authorization } = request.headers;
  node.asked.push({ command, query, authorization });
  const body = await buffer(request).catch(() => Buffer.alloc(0));
  const bytes = command === 'block/put' ? readPart(request, body) : undefined;
  const cid = bytes ? cidOfBlock(bytes).toString() : (query.get('arg') ?? '');
  if (request.method !== 'POST') return void answerFailure(response, 'POST only', 405);
  if (node.intercept(command, response, cid)) return;
  if (command === 'block/put' && bytes) {
    if (query.get('cid-codec') !== 'dag-cbor' || query.get('mhtype') !== 'sha2-256') {
      return void answerFailure(response, 'a block of the log is dag-cbor and sha2-256', 400);
    }
    node.blocks.set(cid, bytes);
    return void answerJson(response, { Key: cid, Size: bytes.length });
  }
  if (command === 'block/get') {
    if (query.get('offline') !== 'true') return void answerFailure(response, 'this would ask the network', 400);
    const stored = node.blocks.get(cid);
    if (!stored)
      return void answerFailure(response, `block was not found locally (offline): ipld: could not find ${cid}`);
    return void response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(stored);
  }
  if (command === 'pin/add') {
    if (query.get('recursive') !== 'false')
      return void answerFailure(response, 'this would walk the whole history', 400);
    node.pins.set(cid, 'direct');
    return void answerJson(response, { Pins: [cid] });
  }
  if (command === 'pin/ls') {
    const type = node.pins.get(cid);
    if (type === undefined || type !== query.get('type'))
      return void answerFailure(response, `path '${cid}' is not pinned`);
    return void answerJson(response, { Cid: cid, Type: type });
  }
  answerFailure(response, `no command ${command}`, 404);
}

/** The one part of a multipart body. */
function readPart({ headers }: IncomingMessage, body: Buffer): Buffer {
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? '';
  const start = body.indexOf('\r\n\r\n') + 4;
  return body.subarray(start, body.lastIndexOf(`\r\n--${boundary}`));
}
