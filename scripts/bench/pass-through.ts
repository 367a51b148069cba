/**
 * The yardstick: a proxy that only passes a body through. `bare` is node:http + undici, `express` is Express 5 + undici.
 * Usage: node pass-through.ts bare|express <upstream base URL>. Prints {"listening": url}.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Pool } from 'undici';

const [kind, upstream = ''] = process.argv.slice(2);
const target = new URL(upstream);
const pool = new Pool(target.origin, { connections: 1_024 });

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  await pool.stream(
    {
      path: `${target.pathname.replace(/\/$/, '')}/chat/completions`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.concat(chunks),
    },
    ({ statusCode, headers }) => {
      response.writeHead(statusCode, { 'content-type': String(headers['content-type']) });
      return response;
    },
  );
}

function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): void {
  const server = createServer(handler).listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}` })}\n`);
  });
}

if (kind === 'express') {
  const app = express();
  app.disable('x-powered-by');
  app.post('/v1/chat/completions', pass);
  listen(app);
} else {
  listen((request, response) => {
    pass(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
}
process.on('SIGTERM', () => process.exit(0));
