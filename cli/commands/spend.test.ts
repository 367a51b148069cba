import { readFile, writeFile } from 'node:fs/promises';
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
