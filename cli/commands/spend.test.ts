import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doubleTerms } from '../../client/testing/relay-double.ts';
import { walletAddress } from '../../client/testing/seed-wallet.ts';
import { startCliStack, type CliStack } from '../testing/start-cli-stack.ts';

let stack: CliStack;
beforeAll(async () => {
  stack = await startCliStack();
  await stack.run(['chat', 'paid'], { input: 'hi\nhi\n/model free\nhi\n' });
});
afterAll(() => stack.stop());

describe('autopay spend', { timeout: 60_000 }, () => {
  it("sums the wallet's own receipts", async () => {
    const { code, stdout, stderr } = await stack.run(['spend']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^model +calls +tokens +cost\nfree +1 +10 \+ 5 +free\npaid +2 +20 \+ 10 +0\.000040 USDC\n$/);
    const today = new Date().toISOString().slice(0, 10);
    const days = await stack.run(['spend', '--by', 'day', '--since', today, '--json']);
    const { data } = JSON.parse(days.stdout) as { data: { name: string; amount: string }[] };
    expect(data.map(({ name, amount }) => [name, amount])).toContainEqual([today, '40']);
    expect((await stack.run(['spend', '--until', '2020-01-01'])).stdout).toBe('No calls.\n');
  });

  it('tells what was paid without a receipt, in the units that are known', async () => {
    const file = join(stack.dataDir, 'client', 'payments.jsonl');
    const usdc = '0x833589fcd6edb6e08f4c7c32d4f71b54bda02913';
    const payment = {
      ...{ paymentId: '0x01', atMs: Date.now(), state: 'settled', method: 'x402/exact', chainId: 8_453, token: usdc },
      ...{ url: 'https://seller.example/v1/chat/completions', payTo: walletAddress, amount: '900', taken: '700' },
      ...{ transaction: null, validBefore: 0, evidence: 'seller', callId: null, reason: '' },
    };
    const unknown = { ...payment, paymentId: '0x02', chainId: 1, token: walletAddress, state: 'signed', taken: null };
    await writeFile(file, `${JSON.stringify(payment)}\n${JSON.stringify(unknown)}\n`);
    const { stdout } = await stack.run(['spend']);
    expect(stdout).toContain('\nPaid without a receipt, as the services say:\n');
    expect(stdout).toMatch(/^https:\/\/seller\.example +chain 8453 +1 +0\.000700 USDC$/m);
    expect(stdout).toMatch(/^https:\/\/seller\.example +chain 1 +1 +900 atomic units of 0x\w+ +1 not confirmed$/m);
    const { withoutReceipt } = JSON.parse((await stack.run(['spend', '--json'])).stdout) as {
      withoutReceipt: object[];
    };
    expect(withoutReceipt).toHaveLength(2);
    await rm(file);
  });

  it.each([
    [['--by', 'week'], 'Allowed choices are model, day, key, project'],
    [['--since', 'yesterday'], 'such as 2026-11-21'],
    [['--until', '2026-02-30'], 'such as 2026-11-21'],
  ])('exits with 2 for %j', async (args, message) => {
    const { code, stderr } = await stack.run(['spend', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it("asks the relay's books for keys and projects", async () => {
    const asked: string[] = [];
    const books = await startBooks(asked);
    const { port } = books.address() as AddressInfo;
    const file = join(stack.dataDir, 'stack.json');
    const text = await readFile(file, 'utf8');
    const relayUrl = `http://127.0.0.1:${port}`;
    await writeFile(file, text.replace(stack.double.url, relayUrl));
    // A session of this wallet with this relay, so that the double needs no login.
    const login = {
      relayUrl,
      token: 't',
      payer: walletAddress,
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    };
    await writeFile(join(stack.dataDir, 'client', 'session.json'), JSON.stringify(login));
    const keys = await stack.run(['spend', '--by', 'key', '--since', '2026-11-01']);
    const projects = await stack.run(['spend', '--by', 'project', '--json']);
    await writeFile(file, text);
    books.close();
    expect(keys.stdout).toMatch(/^key_1 +3 +0\.000060 USDC\nthe wallet's own calls +1 +0\.000020 USDC$/m);
    expect(JSON.parse(projects.stdout)).toMatchObject({ source: 'relay', data: [{ name: null }, { name: null }] });
    expect(asked).toEqual([
      '/v1/spending?group_by=key&since=2026-11-01 Bearer t',
      '/v1/spending?group_by=project Bearer t',
    ]);
  });
});

/** The one route of the relay that is asked here; the real one is met in server/http/keys. */
async function startBooks(asked: string[]): Promise<Server> {
  const { address: token } = doubleTerms.token;
  const data = [
    { token, key_id: 'key_1', calls: 3, amount: '60' },
    { token, key_id: null, calls: 1, amount: '20' },
  ];
  const books = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.end(JSON.stringify({ object: 'list', data }));
  }).listen(0, '127.0.0.1');
  await once(books, 'listening');
  return books;
}
