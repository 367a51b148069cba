import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listen, type Listening } from './listen.ts';

const open: Listening[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { server } of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

async function start(maxConnections: number) {
  const listening = await listen((_, response) => response.end('ok'), { host: '127.0.0.1', port: 0, maxConnections });
  open.push(listening);
  return Number(new URL(listening.url).port);
}

/** A connection that has had one answer, and is kept alive; undefined if it was dropped. */
async function ask(port: number): Promise<Socket | undefined> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const isAnswered = await Promise.race([
    once(socket, 'data').then(() => true),
    new Promise<boolean>((resolve) => socket.once('close', () => resolve(false))),
  ]);
  return isAnswered ? socket : undefined;
}

describe('connections', () => {
  it('beyond the bound are dropped, and idle ones make room for the next', async () => {
    const port = await start(2);
    const idle = [await ask(port), await ask(port)];
    const closed = idle.map((socket) => once(socket!, 'close'));
    expect(await ask(port)).toBeUndefined();
    await Promise.all(closed);
    expect(await ask(port)).toBeDefined();
  });
});

it('idle connections are kept longer than load balancers keep theirs', async () => {
  const port = await start(2);
  const { headers } = await fetch(`http://127.0.0.1:${port}/`);
  expect(headers.get('keep-alive')).toBe('timeout=75');
});

it('a taken port is told by its number', async () => {
  const port = await start(2);
  await expect(listen(() => undefined, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining(String(port)),
  });
});
