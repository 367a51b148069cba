import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { getAddress } from 'viem';
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAutopay, type CliResult } from '../../cli/testing/start-cli-stack.ts';
import { usesAnvil } from '../support/start-chain.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// Each command of a payer as a process of its own, for people and for programs, with a wallet that begins empty. The steps build on
// each other.
const key = generatePrivateKey();
const address = privateKeyToAddress(key);
const password = 'correct horse battery staple';
const outputs: string[] = [];
const secrets = new Set<string>([key.slice(2), password]);
let stack: TestStack;
let home: string;

beforeAll(async () => {
  stack = await startTestStack();
  home = await mkdtemp(join(tmpdir(), 'autopay-home-'));
}, 180_000);
afterAll(async () => {
  await stack.stop();
  await rm(home, { recursive: true, force: true });
});

type Given = { env?: Record<string, string>; input?: string };

async function run(args: readonly string[], { env = { AUTOPAY_WALLET_KEY: key }, input = '' }: Given = {}) {
  const place = ['--data-dir', stack.stack.dataDir];
  const result = await runAutopay([...args, ...place], { env: { HOME: home, ...env }, input });
  outputs.push(result.stdout, result.stderr);
  return result;
}

/** What a command tells people: it succeeds, and says nothing beside its result. */
async function text(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout;
}

/** What a command tells programs: one JSON object. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  return readJson(await run([...args, '--json']));
}

function readJson({ code, stdout, stderr }: CliResult): Record<string, unknown> {
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expect.stringMatching(/^\{.*\}\n$/), stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('autopay wallet', { timeout: 120_000 }, () => {
  it('makes a keystore that only its owner reads, and pays from it', async () => {
    const file = join(home, '.autopay', 'wallet.json');
    const made = await run(['wallet', 'new'], { env: { AUTOPAY_WALLET_PASSWORD: password } });
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const [, shown = ''] = /^address +(0x[0-9a-fA-F]{40})$/m.exec(made.stdout) ?? [];
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toContain('"crypto"');
    const env = { AUTOPAY_WALLET_FILE: file };
    // Neither address nor money needs the password.
    const told = readJson(await run(['wallet', 'address', '--json'], { env }));
    expect(told).toEqual({ address: shown.toLowerCase(), file });
    const { funded } = readJson(await run(['wallet', 'fund', '--amount', '1', '--json'], { env }));
    expect(funded).toBe(usesAnvil ? null : '1000000');
    const open = ['channel', 'open', '--deposit', '0.5', '--json'];
    const opened = await run(open, { env: { ...env, AUTOPAY_WALLET_PASSWORD: password } });
    expect(readJson(opened)).toMatchObject({
      opened: true,
      channel: { payer: shown.toLowerCase(), deposit: '500000' },
    });
  });

  it.each(['BLOCKRUN_WALLET_KEY', '~/.blockrun/.session', 'a pipe'])('imports a key from %s', async (source) => {
    const folder = await mkdtemp(join(home, 'import-'));
    const file = join(folder, 'wallet.json');
    const env: Record<string, string> = { HOME: folder, AUTOPAY_WALLET_PASSWORD: password, BLOCKRUN_WALLET_KEY: '' };
    if (source === 'BLOCKRUN_WALLET_KEY') env['BLOCKRUN_WALLET_KEY'] = key;
    if (source.startsWith('~')) {
      await mkdir(join(folder, '.blockrun'));
      await writeFile(join(folder, '.blockrun', '.session'), key, { mode: 0o600 });
    }
    const args = ['wallet', 'import', '--file', file, '--json', ...(source === 'a pipe' ? [] : ['--blockrun'])];
    const imported = readJson(await run(args, { env, input: source === 'a pipe' ? `${key}\n` : '' }));
    expect(imported).toEqual({ address: address.toLowerCase(), file });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('says where to send money, and what there is', async () => {
    expect(await text('wallet', 'address')).toContain(getAddress(address));
    expect(await text('wallet', 'balance')).toMatch(/^USDC +0\.000000 USDC$/m);
    const funded = await text('wallet', 'fund', '--amount', '20');
    expect(funded).toMatch(usesAnvil ? /█/ : /^received +20\.000000 USDC, worth nothing/m);
    expect(await json('wallet', 'fund', '--token', 'AGPT', '--amount', '3')).toMatchObject({
      token: { symbol: 'AGPT' },
    });
    const { tokens, wei } = (await json('wallet', 'balance')) as { tokens: object[]; wei: string };
    expect(tokens[0]).toMatchObject({ symbol: 'USDC', amount: '20000000' });
    expect(BigInt(wei)).toBeGreaterThan(0n);
  });
});

describe('calls, and what is told of them', { timeout: 120_000 }, () => {
  let callId: string;
  let spent = 0n;

  it('sets limits', async () => {
    expect(await text('limits', 'set', '--per-call', '0.1', '--per-day', '2', '--per-deposit', '5')).toMatch(
      /^per call +0\.1 of the token/,
    );
    expect(await json('limits')).toMatchObject({
      limits: { perCall: '100000', perDay: '2000000', perDeposit: '5000000' },
      spentToday: '0',
    });
  });

  it('opens a channel, shows it and puts more into it', async () => {
    expect(await text('channel', 'open', '--deposit', '1')).toMatch(
      /^The channel is open\.\n.*deposit +1\.000000 USDC/s,
    );
    expect(await json('channel', 'open')).toMatchObject({ opened: false, channel: { deposit: '1000000' } });
    const filled = await run(['channel', 'topup', '0.5', '--yes']);
    expect(filled).toMatchObject({ code: 0, stdout: expect.stringMatching(/^channel .*\ndeposit +1\.500000 USDC\n$/) });
    // What is about to be signed is shown, but is not the result.
    expect(filled.stderr).toMatch(/^0\.500000 USDC go into channel 0x/);
    expect(await json('channel', 'topup', '0.5', '--yes')).toMatchObject({ added: '500000', deposit: '2000000' });
    expect(await text('channel', 'status')).toMatch(/^deposit +2\.000000 USDC$/m);
  });

  it('makes calls', async () => {
    const shown = await text('call', 'Say hello.', '--model', 'sim-small', '--max-tokens', '20');
    expect(shown).toMatch(/^\[simulated\].*\ncall \S+ · \d+ \+ \d+ tokens · 0\.0000\d\d USDC · receipt verified\n$/);
    const told = await json('call', 'Say hello.', '--model', 'sim-small', '--max-tokens', '20', '--stream');
    expect(told).toMatchObject({ isVerified: true, answer: expect.stringContaining('[simulated]') });
    callId = String(told['callId']);
    expect(await text('models')).toMatch(/^sim-small +0\.150000 USDC +0\.600000 USDC/m);
  });

  it('chats with a pipe, and sums what it costs', async () => {
    const questions = 'Say hello.\nAnd once more.\n';
    const shown = await run(['chat', 'sim-small', '--max-tokens', '20'], { input: questions });
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout.match(/ USDC · 0\.0000\d\d USDC in all · receipt verified$/gm)).toHaveLength(2);
    const { turns, total } = readJson(await run(['chat', 'sim-small', '--json'], { input: questions })) as {
      turns: { charge: string; isVerified: boolean }[];
      total: string;
    };
    expect(turns.map(({ isVerified }) => isVerified)).toEqual([true, true]);
    expect(turns.reduce((sum, { charge }) => sum + BigInt(charge), 0n)).toBe(BigInt(total));
  });

  it('shows a call again, and what all have cost', async () => {
    expect(await text('replay', callId)).toMatch(new RegExp(`^call +${callId}\n.*\nThe receipt holds\\.\n$`, 's'));
    expect(await json('replay', 'last')).toMatchObject({ isVerified: true });
    const { channel } = (await json('channel', 'status')) as { channel: { spent: string } };
    spent = BigInt(channel.spent);
    const day = new Date().toISOString().slice(0, 10);
    for (const [by, name] of [
      ['model', 'sim-small'],
      ['day', expect.stringMatching(/^\d{4}-\d\d-\d\d$/)],
    ] as const) {
      expect(await json('spend', '--by', by, '--until', day)).toMatchObject({
        ...{ by, source: 'receipts' },
        data: [{ name, calls: 6, amount: String(spent), doubtful: 0 }],
      });
      expect(await text('spend', '--by', by)).toMatch(/^\S+ +calls +tokens +cost\n\S+ +6 .* USDC\n$/);
    }
    expect(await json('limits')).toMatchObject({ spentToday: String(spent) });
  });

  it('makes API keys, and shows what they spent', async () => {
    const login = await text('login');
    expect(login).toMatch(/^Logged in to http\S+ as 0x[0-9a-f]{40} until /);
    const session = JSON.parse(await readFile(join(stack.stack.dataDir, 'client', 'session.json'), 'utf8')) as object;
    secrets.add((session as { token: string }).token);
    expect(await json('keys', 'fund', '0.2', '--yes')).toMatchObject({ added: '200000' });
    const made = await text(
      'keys',
      'create',
      '--name',
      'app',
      '--budget',
      '0.1',
      '--period',
      '1d',
      '--expires-in',
      '1d',
    );
    const [, apiKey = ''] = /^key +(ap_sk_\S+)$/m.exec(made) ?? [];
    // It is shown this once.
    outputs.pop();
    outputs.pop();
    secrets.add(apiKey);
    const client = new OpenAI({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey });
    await client.chat.completions.create({ model: 'sim-small', messages: [{ role: 'user', content: 'hi' }] });
    const listed = await text('keys', 'list');
    expect(listed).toMatch(/^key_\S+ +ap_sk_…\S{4} +app +0\.0000\d\d USDC +0\.100000 USDC per 1d +20/m);
    const { data } = (await json('keys', 'list')) as { data: { id: string; spent: string }[] };
    const id = data[0]?.id ?? '';
    expect(await json('spend', '--by', 'key')).toMatchObject({
      source: 'relay',
      data: expect.arrayContaining([
        expect.objectContaining({ name: id, calls: 1, amount: data[0]?.spent }),
        expect.objectContaining({ name: null, calls: 6, amount: String(spent) }),
      ]),
    });
    expect(await text('spend', '--by', 'project')).toMatch(/^in no project +7 /m);
    expect(await json('keys', 'delete', id, '--yes')).toEqual({ id, deleted: true });
    expect(await json('channel', 'close', '--keys', '--yes')).toMatchObject({ spent: data[0]?.spent });
  });

  it('brings the rest back', async () => {
    const closed = await run(['channel', 'close', '--yes']);
    expect(closed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^returned +1\.9\d+ USDC to 0x/m) });
    expect(await text('channel', 'status')).toMatch(/^No channel yet/);
    expect(await json('channel', 'withdraw', '--yes')).toEqual({ withdrawn: [] });
  });
});

it('never prints a secret', () => {
  expect(secrets.size).toBe(4);
  for (const secret of secrets) expect(outputs.filter((output) => output.includes(secret))).toEqual([]);
});
