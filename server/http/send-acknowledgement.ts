import type { ServerResponse } from 'node:http';

/** Answers a payment that ordered no call: 200 without a body. */
export function sendAcknowledgement(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, { ...headers, 'cache-control': 'private, no-store', 'content-length': '0' });
  response.end();
}
