import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { PinState } from '../ledger/pin-ledger.ts';

/** A pin that the service was asked for. */
interface FakePin {
  cid: string;
  name: string;
  origins?: string[];
  state: PinState;
}

/** A service that speaks the IPFS Pinning Service API. */
export interface FakePinningService {
  endpoint: string;
  token: string;
  /** By request id. */
  pins: Map<string, FakePin>;
  /** What was asked, as `POST /pins`. */
  asked: string[];
  /** What it says of a new pin. */
  state: PinState;
  /** Answers instead of the service, if it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): Promise<void>;
}

/** Starts a service on a free port. */
export async function startFakePinningService(): Promise<FakePinningService> {
  const server = createServer((request, response) => void answer(service, request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const service: FakePinningService = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/psa`,
    token: 'a-token',
    pins: new Map(),
    asked: [],
    state: 'queued',
    intercept: () => false,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return service;
}

async function answer(service: FakePinningService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
  const send = (status: number, body: object) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const body = await text(request);
  service.asked.push(`${request.method} ${pathname.replace('/psa', '')}`);
  if (service.intercept(request, response)) return;
  if (request.headers.authorization !== `Bearer ${service.token}`)
    return send(401, { error: { reason: 'UNAUTHORIZED' } });
  const [, , requestId] = pathname.replace('/psa', '').split('/');
  if (request.method === 'POST') {
    const pin = { ...(JSON.parse(body) as Omit<FakePin, 'state'>), state: service.state };
    const id = `r${service.asked.length}`;
    service.pins.set(id, pin);
    return send(202, statusOf(id, pin));
  }
  if (requestId === undefined) {
    const states = searchParams.get('status')?.split(',') ?? ['pinned'];
    const found = [...service.pins].filter(
      ([, pin]) => pin.cid === searchParams.get('cid') && states.includes(pin.state),
    );
    return send(200, { count: found.length, results: found.map(([id, pin]) => statusOf(id, pin)) });
  }
  const pin = service.pins.get(requestId);
  if (!pin) return send(404, { error: { reason: 'NOT_FOUND' } });
  if (request.method === 'DELETE') {
    service.pins.delete(requestId);
    return void response.writeHead(202).end();
  }
  send(200, statusOf(requestId, pin));
}

function statusOf(requestid: string, { state, ...pin }: FakePin): object {
  return { requestid, status: state, created: '2026-01-01T00:00:00Z', pin, delegates: [], info: {} };
}
