import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { openWallet, type Wallet, type WalletOptions } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { fundWallet } from '../support/fund-wallet.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// What a wallet waits for, and what it does not: deposits that lack confirmations, and streams that break off.
const slow = 'sim-small?tps=50&tokens=30';
const cut = 'sim-small?fault=cut-after:3';
const body = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'Hi.' }], max_tokens: 16 };

let stack: TestStack;
let folder: string;
let warnings: string[];

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [slow, cut] });
  folder = await mkdtemp(join(tmpdir(), 'autopay-patience-'));
  await stack.stopRelay();
  const file = join(stack.stack.dataDir, 'autopay.yaml');
  const config = parse(await readFile(file, 'utf8')) as { chain: object };
  await writeFile(file, stringify({ ...config, chain: { ...config.chain, confirmations: 1 } }));
  await stack.startRelay();
}, 180_000);
afterAll(async () => {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});

async function newWallet(more: Partial<WalletOptions> = {}): Promise<{ wallet: Wallet; client: OpenAI }> {
  const privateKey = await fundWallet(stack, { usdcAtomic: 1_000_000n, ether: '0.02' });
  const { relayUrl, rpcUrl = '' } = stack.payFetchOptions;
  warnings = [];
  const wallet = openWallet({
    ...{ relayUrl, rpcUrl, privateKey, deposit: 500_000n, stateDir: join(folder, privateKey.slice(0, 12)) },
    ...{ onWarning: (message) => void warnings.push(message), ...more },
  });
  const options = { baseURL: `${relayUrl}/v1`, apiKey: 'unused', maxRetries: 0 };
  return { wallet, client: new OpenAI({ ...options, fetch: createPayFetch(wallet) }) };
}

async function mineBlock(): Promise<void> {
  const request = { jsonrpc: '2.0', id: 1, method: 'evm_mine', params: [] };
  const headers = { 'content-type': 'application/json' };
  await fetch(stack.stack.rpcUrl, { method: 'POST', headers, body: JSON.stringify(request) });
}

const channelOf = async (wallet: Wallet) =>
  (await wallet.state.read()).channels.at(-1) ?? expect.fail('there is no channel');
const refusalOf = (call: Promise<unknown>) =>
  call.then(
    () => expect.fail('it was served'),
    (error: unknown) => error,
  );

describe('a deposit without confirmations', () => {
  it('is waited for: the owner is told, and the call is served by the same voucher once it counts', async () => {
    const paid: string[] = [];
    const { wallet, client } = await newWallet({
      onWarning(message) {
        warnings.push(message);
        void mineBlock();
      },
      fetch(input, init) {
        const payment = new Headers(init?.headers).get('authorization');
        if (payment !== null) paid.push(payment);
        return fetch(input, init);
      },
    });
    const answer = await client.chat.completions.create(body);
    expect(answer.choices[0]?.message.content).toContain('[simulated]');
    expect(warnings).toEqual([expect.stringMatching(/has not the confirmations yet .* for 300 s at most/)]);
    expect(paid.length).toBeGreaterThan(1);
    expect(new Set(paid).size).toBe(1);
    expect(await channelOf(wallet)).toMatchObject({ sequence: 1, deposit: 500_000n });
  });

  it('is not waited for beyond the bound: the client is told why, and the next call uses the same deposit', async () => {
    const { wallet, client } = await newWallet({ confirmationWaitMs: 100 });
    expect(await refusalOf(client.chat.completions.create(body))).toMatchObject({
      ...{ status: 409, code: 'channel_not_confirmed' },
    });
    const { channelId } = await channelOf(wallet);
    expect(await wallet.connect().then(({ channels }) => channels.spentToday())).toBe(0n);
    await mineBlock();
    // The relay asks the chain again after a while.
    const status = () =>
      client.chat.completions.create(body).then(
        () => 200,
        ({ status: code }: APIError) => code,
      );
    await expect.poll(status, { timeout: 10_000, interval: 300 }).toBe(200);
    expect(await channelOf(wallet)).toMatchObject({ channelId, sequence: 1 });
  });
});

describe('a stream that breaks off', () => {
  it('between relay and wallet is not begun anew: the client gets an error, and the next receipt shows what it cost', async () => {
    let toBreak = false;
    let posts = 0;
    const { wallet, client } = await newWallet({
      async fetch(input, init) {
        const response = await fetch(input, init);
        if (init?.method === 'POST') posts += 1;
        if (!toBreak || response.body === null) return response;
        const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
        const broken = new ReadableStream<Uint8Array>({
          async pull(controller) {
            const { value } = await reader.read();
            controller.enqueue(value ?? new Uint8Array());
            await reader.cancel();
            controller.error(new TypeError('terminated'));
          },
        });
        return new Response(broken, response);
      },
    });
    const opening = client.chat.completions.create(body);
    await expect.poll(() => warnings.length).toBeGreaterThan(0);
    await mineBlock();
    await opening;
    const before = await channelOf(wallet);
    warnings.length = 0;
    posts = 0;
    toBreak = true;
    const stream = await client.chat.completions.create({ ...body, model: slow, max_tokens: 30, stream: true });
    const error = await refusalOf(drain(stream));
    expect(error).toBeInstanceOf(APIError);
    expect([(error as APIError).code, posts]).toEqual(['upstream_truncated', 1]);
    expect(warnings).toEqual([expect.stringContaining('was cut before its receipt came')]);
    toBreak = false;
    const quoted = await wallet.connect().then(({ channels }) => channels.spentToday());

    // The relay reads the answer to its end for whoever left, and charges it: the channel's total then has more than the receipts.
    const unseen = async () => {
      await client.chat.completions.create(body);
      const receipts = await wallet.receipts.list();
      return (await channelOf(wallet)).spent - receipts.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    };
    await expect.poll(unseen, { timeout: 15_000, interval: 200 }).toBeGreaterThan(0n);
    expect(quoted).toBeGreaterThan(before.spent);
  });

  it('at the provider costs nothing, is an error to the client, and does not count as spent', async () => {
    const { wallet, client } = await newWallet();
    const opening = client.chat.completions.create(body);
    await expect.poll(() => warnings.length).toBeGreaterThan(0);
    await mineBlock();
    await opening;
    const { spent } = await channelOf(wallet);
    const stream = await client.chat.completions.create({ ...body, model: cut, stream: true });
    expect(await refusalOf(drain(stream))).toBeInstanceOf(APIError);
    await client.chat.completions.create(body);
    const { spent: after, sequence } = await channelOf(wallet);
    expect([sequence, after]).toEqual([2, 2n * spent]);
    expect(await wallet.connect().then(({ channels }) => channels.spentToday())).toBe(after);
  });
});

async function drain(parts: AsyncIterable<unknown>): Promise<void> {
  for await (const part of parts) void part;
}
