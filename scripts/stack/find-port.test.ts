import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { findFreePort, requireFreePort } from './find-port.ts';

test('a taken port is an error that names it, a free one is none', async () => {
  const port = await findFreePort();
  await expect(requireFreePort(port, 'relay')).resolves.toBeUndefined();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  try {
    const refusal = requireFreePort(port, 'relay');
    await expect(refusal).rejects.toMatchObject({ code: 'port_taken' });
    await expect(refusal).rejects.toThrow(`Port ${port}, for the relay, is taken. Choose another with --port N.`);
  } finally {
    server.close();
  }
});
