import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { allowOrigins, answerPreflight } from './allow-origins.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function ask(method: string, headers: Record<string, string>): Promise<Response> {
  server = createServer((request, response) => {
    if (request.method === 'OPTIONS') return answerPreflight(request, response);
    allowOrigins(request, response);
    response.end('ok');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { method, headers });
}

const origin = { origin: 'https://chat.example' };

it('a web page may read what it needs to pay', async () => {
  const { headers } = await ask('GET', origin);
  expect(headers.get('access-control-allow-origin')).toBe('*');
  const exposed = (headers.get('access-control-expose-headers') ?? '').toLowerCase().split(', ');
  expect(exposed).toEqual(
    expect.arrayContaining(['*', 'www-authenticate', 'payment-required', 'payment-response', 'payment-receipt']),
  );
  expect(exposed).toEqual(expect.arrayContaining(['x-autopay-call-id', 'x-autopay-receipt', 'idempotent-replayed']));
});

it('costs nothing where no browser asks', async () => {
  const { headers } = await ask('GET', {});
  expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
});

it('a page may send any header, Authorization too', async () => {
  const asked = 'authorization, payment-signature, x-stainless-lang';
  const response = await ask('OPTIONS', { ...origin, 'access-control-request-headers': asked });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-headers')).toBe(asked);
  expect(response.headers.get('access-control-allow-methods')).toContain('POST');
  expect(response.headers.get('vary')).toBe('Access-Control-Request-Headers');
});

it('what is asked for is bounded', async () => {
  const asked = 'x'.repeat(2_049);
  const response = await ask('OPTIONS', { ...origin, 'access-control-request-headers': asked });
  expect(response.headers.has('access-control-allow-headers')).toBe(false);
});
