import type { IncomingHttpHeaders } from 'node:http';

/** How a request ended: still open, answered to the last byte, left by its client, or ended by a fault. */
export type Outcome = 'open' | 'answered' | 'client-gone' | 'fault';

/** A request as it is kept. */
export interface LoggedRequest {
  /** 1 for the first request since start or clearing. */
  sequence: number;
  outcome: Outcome;
  /** HTTP status of the answer; 0 while there is none. */
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Length of the body as it came. */
  bodyBytes: number;
}

/** The last requests to `/v1/chat/completions`, and how many there were. */
export interface RequestLog {
  add(request: { headers: IncomingHttpHeaders; body: Buffer }): LoggedRequest;
  /** What `GET /sim/requests` answers; `body` is text, secrets among the headers are replaced. */
  describe(): object;
  clear(): void;
}

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'api-key', 'x-api-key']);

/** Makes a log of the last `keep` requests, with at most `maxBodyBytes` of each body. */
export function createRequestLog({ keep, maxBodyBytes }: { keep: number; maxBodyBytes: number }): RequestLog {
  let ring: LoggedRequest[] = [];
  let count = 0;
  return {
    add: ({ headers, body }) => {
      count += 1;
      const kept = body.length > maxBodyBytes ? Buffer.from(body.subarray(0, maxBodyBytes)) : body;
      const entry: LoggedRequest = {
        sequence: count,
        outcome: 'open',
        status: 0,
        headers,
        body: kept,
        bodyBytes: body.length,
      };
      ring[(count - 1) % keep] = entry;
      return entry;
    },
    describe: () => ({
      count,
      requests: ring.toSorted((a, b) => a.sequence - b.sequence).map(describeRequest),
    }),
    clear: () => {
      ring = [];
      count = 0;
    },
  };
}

function describeRequest({ headers, body, ...rest }: LoggedRequest): object {
  const shown = Object.entries(headers).map(([name, value]) => [name, SECRET_HEADERS.has(name) ? '[redacted]' : value]);
  return { ...rest, headers: Object.fromEntries(shown) as object, body: body.toString('utf8') };
}
