import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isRelay } from './is-relay.ts';
import { openWallet, type Wallet } from './open-wallet.ts';
import { startRelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

let stateDir: string;
let warnings: string[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-kind-'));
  warnings = [];
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const walletAt = (relayUrl: string, folder = stateDir): Wallet =>
  openWallet({
    relayUrl,
    privateKey: walletKey,
    stateDir: folder,
    onWarning: (message) => void warnings.push(message),
  });

/** Whatever answers everything with this status. */
async function withServer<T>(status: number, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => response.writeHead(status).end('{"status":"fine"}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

it('knows a relay by its health, and another service by another answer, of which the owner is told', async () => {
  const double = await startRelayDouble();
  try {
    expect(await isRelay(walletAt(double.url))).toBe(true);
  } finally {
    await double.close();
  }
  for (const status of [200, 404]) expect(await withServer(status, (url) => isRelay(walletAt(url)))).toBe(false);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('is no AutoPayLLM relay');
});

it('takes nothing that fails for another service', async () => {
  await expect(withServer(503, (url) => isRelay(walletAt(url)))).rejects.toMatchObject({
    code: 'invalid_configuration',
  });
  await expect(isRelay(walletAt('http://127.0.0.1:9'))).rejects.toThrow(TypeError);
});

it('does not believe a relay whose receipts the wallet has that it is none', async () => {
  await withServer(404, async (relayUrl) => {
    const wallet = walletAt(relayUrl);
    await wallet.receipts.append({
      ...{ callId: 'c', receivedAtMs: 1, relayUrl, chainId: 1, payee: '0x', model: 'm', channelId: '0x', sequence: 0 },
      ...{ amount: '1', promptTokens: 1, completionTokens: 1, problems: [], receipt: '' },
    });
    await expect(isRelay(wallet)).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect(warnings).toEqual([]);
  });
});

it('does not believe a relay with which the wallet has channels that it is none', async () => {
  const double = await startRelayDouble();
  const seeded = await seedWallet(double);
  const { host, port } = new URL(double.url);
  await double.close();
  const server = createServer((_, response) => response.writeHead(404).end());
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  try {
    const wallet = walletAt(`http://${host}`, seeded.stateDir);
    await expect(isRelay(wallet)).rejects.toMatchObject({ code: 'invalid_configuration' });
  } finally {
    server.closeAllConnections();
    server.close();
    await seeded.remove();
  }
});
