import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { listen, type Listening } from './listen.ts';

const open: Listening[] = [];
afterEach(async () => {
  for (const { server } of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

async function start(listener: Parameters<typeof listen>[0] = (_, response) => response.end('ok')): Promise<Socket> {
  const listening = await listen(listener, { host: '127.0.0.1', port: 0 });
  open.push(listening);
  const socket = connect(Number(new URL(listening.url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

function read(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const { error } = JSON.parse(body) as { error: { code: string; message: string } };
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), ...error };
}

describe('what is no request that can be read', () => {
  it('for its long headers is told how long they may be', async () => {
    const socket = await start();
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\nauthorization: Payment ${'x'.repeat(100_000)}\r\n\r\n`);
    const answer = read(await text(socket));
    expect(answer).toMatchObject({ status: 431, code: 'headers_too_large' });
    expect(answer.message).toContain('32768 bytes');
    expect(answer.head).toContain('connection: close');
  });

  it('is a bad request', async () => {
    const socket = await start();
    socket.write('NONSENSE\r\n\r\n');
    expect(read(await text(socket))).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('breaks off an answer that is on its way, and is never mixed into it', async () => {
    const socket = await start((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    let received = '';
    socket.on('data', (piece) => (received += String(piece)));
    socket.on('error', () => undefined);
    await expect.poll(() => received).toContain('data: 1');
    const closed = once(socket, 'close');
    socket.write('NONSENSE\r\n\r\n');
    await closed;
    expect(received).not.toContain('400');
    expect(received).not.toContain('0\r\n\r\n');
  });
});
