import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// `autopay sidecar` as a process of its own, with an unmodified OpenAI client before it and the real relay behind it.
let stack: TestStack;
const running: ChildProcess[] = [];
beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterEach(() => running.splice(0).forEach((child) => child.kill('SIGKILL')));
afterAll(() => stack.stop());

interface SidecarProcess {
  child: ChildProcess;
  url: string;
  log: () => Record<string, unknown>[];
}

async function startProcess(args: readonly string[], env: Record<string, string> = {}): Promise<SidecarProcess> {
  const { AUTOPAY_WALLET_KEY: _, AUTOPAY_WALLET_FILE: __, AUTOPAY_PROXY_TOKEN: ___, ...inherited } = process.env;
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const words = [main, 'sidecar', '--port', '0', '--json', '--data-dir', stack.stack.dataDir, ...args];
  const child = spawn(process.execPath, words, { env: { ...inherited, ...env } });
  running.push(child);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'close').then(() => [JSON.stringify({ listening: `none: ${log}` })]),
  ])) as [string];
  const { listening } = JSON.parse(line) as { listening: string };
  const readLog = () => log.split('\n').flatMap((text) => (text ? [JSON.parse(text) as Record<string, unknown>] : []));
  return { child, url: listening, log: readLog };
}

const ask = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'Say hello.' }], max_tokens: 20 };

describe('autopay sidecar', { timeout: 120_000 }, () => {
  it('pays for parallel calls and streams on one channel, each once', async () => {
    const { url, child, log } = await startProcess([]);
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const one = async () => (await client.chat.completions.create(ask)).choices[0]?.message.content ?? '';
    const streamed = async () => {
      let text = '';
      for await (const chunk of await client.chat.completions.create({ ...ask, stream: true }))
        text += chunk.choices[0]?.delta.content ?? '';
      return text;
    };
    // The first calls find no channel: one of them opens it for all.
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? streamed() : one())));
    for (const answer of answers) expect(answer).toContain('[simulated]');

    const receipts = await openReceiptStore(join(stack.stack.dataDir, 'client')).list();
    expect(new Set(receipts.map(({ channelId }) => channelId)).size).toBe(1);
    const sequences = receipts.map(({ sequence }) => sequence).toSorted((a, b) => a - b);
    expect(sequences).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(receipts.flatMap(({ problems }) => problems)).toEqual([]);
    const spent = receipts.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    const wallet = (await (await fetch(`${url}/wallet`)).json()) as Record<string, unknown>;
    expect(wallet).toMatchObject({
      address: stack.stack.wallet.address,
      balance: expect.stringMatching(/^\d+$/),
      channel: { spent: String(spent) },
      spentToday: String(spent),
      limits: { perCall: null, perDay: null, perDeposit: null },
    });

    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    const logged = log();
    expect(logged.filter(({ msg }) => msg === 'receipt')).toHaveLength(20);
    expect(logged.filter(({ msg, status }) => msg === 'request' && status === 200)).toHaveLength(21);
    expect(JSON.stringify(logged)).not.toMatch(/Say hello|Payment |simulated\]/);
  });

  it('finishes the call under way when it is told to stop', async () => {
    const { url, child } = await startProcess(['--log-level', 'error']);
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const exited = once(child, 'exit');
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
      if (text === '') child.kill('SIGTERM');
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toContain('[simulated]');
    expect(await exited).toEqual([0, null]);
  });

  it('asks for its token, and pays another relay than the stack’s by --api-url', async () => {
    const token = 'a-token-of-this-machine';
    const { url, log } = await startProcess(
      ['--host', '0.0.0.0', '--api-url', `${stack.stack.relayUrl}/v1`, '--log-level', 'warning'],
      { AUTOPAY_PROXY_TOKEN: token, AUTOPAY_WALLET_KEY: stack.payFetchOptions.privateKey },
    );
    const here = url.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${here}/v1/models`)).status).toBe(401);
    const client = new OpenAI({ baseURL: `${here}/v1`, apiKey: token });
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('sim-small');
    expect(await (await fetch(`${here}/healthz`)).json()).toEqual({ status: 'ok', relayUrl: stack.stack.relayUrl });
    expect((await fetch(`${here}/docs`)).status).toBe(200);
    // Requests are told from `info` on.
    expect(log()).toEqual([]);
  });

  it.each([
    [['--host', '0.0.0.0'], 1, 'Set AUTOPAY_PROXY_TOKEN, or listen on 127.0.0.1'],
    [['--log-level', 'loud'], 2, 'Allowed choices are critical, error, warning, info, debug, trace'],
    [['--port', '70000'], 2, 'It has to be 0 to 65535'],
    [['--api-url', 'relay'], 2, '--api-url takes a URL'],
    [['--rpc-url', 'http://127.0.0.1:1'], 2, '--rpc-url goes with --api-url'],
  ])('does not start with %j', async (args, exit, message) => {
    const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
    const child = spawn(process.execPath, [main, 'sidecar', '--data-dir', stack.stack.dataDir, '--port', '0', ...args]);
    running.push(child);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, stderr }).toEqual({ code: exit, stderr: expect.stringContaining(message) });
  });
});
