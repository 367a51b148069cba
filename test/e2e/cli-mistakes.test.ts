import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generatePrivateKey } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeKeystore } from '../../client/keystore.ts';
import { runAutopay } from '../../cli/testing/start-cli-stack.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// What goes wrong at a payer's desk: each mistake is told with what to do, by a stable code, and pays nothing.
const key = generatePrivateKey();
const password = 'correct horse battery staple';
const wrongPassword = 'incorrect horse battery';
let stack: TestStack;
let home: string;
let otherChain: Server;

beforeAll(async () => {
  stack = await startTestStack();
  home = await mkdtemp(join(tmpdir(), 'autopay-mistakes-'));
  await writeKeystore(join(home, 'wallet.json'), { privateKey: key, password });
  await writeFile(join(home, 'open.key'), key);
  await chmod(join(home, 'open.key'), 0o644);
  // A JSON-RPC endpoint of another chain.
  otherChain = createServer((request, response) => {
    void readId(request).then((id) => response.end(JSON.stringify({ jsonrpc: '2.0', id, result: '0x1' })));
  }).listen(0, '127.0.0.1');
  await once(otherChain, 'listening');
  const otherUrl = `http://127.0.0.1:${(otherChain.address() as AddressInfo).port}`;
  // A port that was free a moment ago.
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const goneUrl = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  gone.close();
  await copyStack('relay-off', { relayUrl: goneUrl });
  await copyStack('chain-off', { rpcUrl: goneUrl });
  await copyStack('wrong-chain', { rpcUrl: otherUrl });
  const paid = await run(['channel', 'open', '--deposit', '1'], {});
  expect(paid).toMatchObject({ code: 0, stderr: '' });
}, 180_000);
afterAll(async () => {
  otherChain.close();
  await stack.stop();
  await rm(home, { recursive: true, force: true });
});

async function readId(request: AsyncIterable<Buffer>): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk.toString();
  return (JSON.parse(text) as { id: unknown }).id;
}

/** The stack as commands see it, but for what is changed; the wallet has no state there. */
async function copyStack(name: string, change: object): Promise<void> {
  const folder = join(home, name);
  const { dataDir } = stack.stack;
  await cp(join(dataDir, 'keys'), join(folder, 'keys'), { recursive: true });
  const text = await readFile(join(dataDir, 'stack.json'), 'utf8');
  await writeFile(join(folder, 'stack.json'), JSON.stringify({ ...(JSON.parse(text) as object), ...change }));
}

function run(args: readonly string[], env: Record<string, string>, folder?: string) {
  const dataDir = folder === undefined ? stack.stack.dataDir : join(home, folder);
  const given = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replace('~', home)]));
  return runAutopay([...args, '--data-dir', dataDir], { env: { HOME: home, BLOCKRUN_WALLET_KEY: '', ...given } });
}

interface Mistake {
  about: string;
  args: string[];
  env?: Record<string, string>;
  /** Of those that `copyStack` makes; default: the stack itself. */
  folder?: string;
  exit: 1 | 2;
  code: string;
  /** What to do. */
  says: string | RegExp;
}

const call = ['call', 'hi', '--model', 'sim-small', '--max-tokens', '20'];
const keystore = { AUTOPAY_WALLET_FILE: '~/wallet.json' };
const strange = { AUTOPAY_WALLET_KEY: key };
const notAsItHasToBe = { exit: 2, code: 'invalid_argument' } as const;

const mistakes: readonly Mistake[] = [
  // The wallet's key.
  {
    about: 'a wrong password',
    args: call,
    env: { ...keystore, AUTOPAY_WALLET_PASSWORD: wrongPassword },
    ...notAsItHasToBe,
    says: 'does not open: the password is another one',
  },
  {
    about: 'no password, and no terminal',
    args: call,
    env: keystore,
    ...notAsItHasToBe,
    says: 'Set AUTOPAY_WALLET_PASSWORD',
  },
  {
    about: 'no such file',
    args: call,
    env: { AUTOPAY_WALLET_FILE: '~/none' },
    ...notAsItHasToBe,
    says: 'Set AUTOPAY_WALLET_KEY, or mend it',
  },
  {
    about: 'a file that others can read',
    args: call,
    env: { AUTOPAY_WALLET_FILE: '~/open.key' },
    exit: 1,
    code: 'key_file_unsafe',
    says: 'Run: chmod 600',
  },
  {
    about: 'half a key',
    args: call,
    env: { AUTOPAY_WALLET_KEY: key.slice(0, 40) },
    ...notAsItHasToBe,
    says: '64 hexadecimal digits',
  },
  {
    about: 'a keystore that is there',
    args: ['wallet', 'new', '--file', '~/wallet.json'],
    env: { AUTOPAY_WALLET_PASSWORD: password },
    ...notAsItHasToBe,
    says: 'Name another file with --file',
  },
  {
    about: 'a weak password',
    args: ['wallet', 'new', '--file', '~/new.json'],
    env: { AUTOPAY_WALLET_PASSWORD: 'short' },
    ...notAsItHasToBe,
    says: 'at least 8 characters',
  },
  {
    about: 'no BlockRun wallet',
    args: ['wallet', 'import', '--blockrun'],
    env: { AUTOPAY_WALLET_PASSWORD: password },
    ...notAsItHasToBe,
    says: 'neither BLOCKRUN_WALLET_KEY nor',
  },
  // The command line.
  { about: 'an unknown command', args: ['wallet', 'burn'], ...notAsItHasToBe, says: "unknown command 'burn'" },
  { about: 'an unknown flag', args: ['call', 'hi', '--modle', 'x'], ...notAsItHasToBe, says: 'Did you mean --model?' },
  { about: 'a missing argument', args: ['replay'], ...notAsItHasToBe, says: "missing required argument 'callId'" },
  {
    about: 'a wrong choice',
    args: ['spend', '--by', 'week'],
    ...notAsItHasToBe,
    says: 'Allowed choices are model, day, key, project',
  },
  { about: 'a wrong day', args: ['spend', '--since', '21.11.2026'], ...notAsItHasToBe, says: 'such as 2026-11-21' },
  {
    about: 'no leave to sign',
    args: ['channel', 'topup', '1'],
    ...notAsItHasToBe,
    says: 'Give --yes to sign without being asked',
  },
  {
    about: 'an amount that is none',
    args: ['channel', 'topup', 'much', '--yes'],
    ...notAsItHasToBe,
    says: 'as a decimal number',
  },
  {
    about: 'an amount finer than the token',
    args: ['keys', 'fund', '0.0000001', '--yes'],
    ...notAsItHasToBe,
    says: 'at most 6 digits after the point',
  },
  {
    about: 'a limit finer than the token',
    args: ['limits', 'set', '--per-day', '0.0000001'],
    ...notAsItHasToBe,
    says: 'USDC has 6 digits after the point',
  },
  {
    about: 'a limit without a number',
    args: ['limits', 'set'],
    ...notAsItHasToBe,
    says: '--per-call, --per-day or --per-deposit',
  },
  {
    about: 'an unknown token',
    args: ['call', 'hi', '--token', 'DOGE'],
    ...notAsItHasToBe,
    says: 'There are USDC, AGPT',
  },
  // The relay's and the wallet's refusals.
  {
    about: 'an unknown model',
    args: ['call', 'hi', '--model', 'gpt-9'],
    exit: 1,
    code: 'model_not_found',
    says: 'GET /v1/models lists',
  },
  {
    about: 'a call over --max-cost',
    args: [...call, '--max-cost', '0.000001'],
    exit: 1,
    code: 'spending_limit_reached',
    says: /may cost|maxCallAmount|limit/,
  },
  {
    about: 'a deposit that the wallet has not',
    args: ['channel', 'open'],
    env: strange,
    exit: 1,
    code: 'transaction_failed',
    says: 'choose a smaller deposit, such as: autopay channel open',
  },
  {
    about: 'keys without money',
    args: ['keys', 'create'],
    exit: 1,
    code: 'insufficient_headroom',
    says: 'First run: autopay keys fund',
  },
  {
    about: 'an unknown key',
    args: ['keys', 'delete', 'key_none', '--yes'],
    exit: 1,
    code: 'not_found',
    says: 'no such key',
  },
  {
    about: 'a call that is not in the record',
    args: ['replay', '01a1ff6a-2857-7d87-a98f-91ceff8c2cc6'],
    exit: 1,
    code: 'not_found',
    says: 'autopay spend --by day',
  },
  {
    about: 'nothing to close',
    args: ['channel', 'close', '--yes'],
    env: strange,
    ...notAsItHasToBe,
    says: 'or autopay channel open',
  },
  // The world.
  {
    about: 'the relay off',
    args: call,
    folder: 'relay-off',
    exit: 1,
    code: 'upstream_unreachable',
    says: 'Check that npm start still runs',
  },
  {
    about: 'the relay off, at the list of keys',
    args: ['keys', 'list'],
    folder: 'relay-off',
    exit: 1,
    code: 'upstream_unreachable',
    says: 'cannot be reached',
  },
  {
    about: 'the chain off',
    args: ['wallet', 'balance'],
    folder: 'chain-off',
    exit: 1,
    code: 'chain_unavailable',
    says: 'RPC',
  },
  {
    about: 'the chain off, at a call',
    args: call,
    folder: 'chain-off',
    exit: 1,
    code: 'chain_unavailable',
    says: 'RPC',
  },
  {
    about: 'another chain',
    args: ['wallet', 'balance'],
    folder: 'wrong-chain',
    exit: 1,
    code: 'chain_unavailable',
    says: 'on chain 1, ',
  },
  {
    about: 'another chain, at a call',
    args: call,
    folder: 'wrong-chain',
    exit: 1,
    code: 'chain_unavailable',
    says: 'on chain 1, ',
  },
  {
    about: 'no stack',
    args: ['limits'],
    folder: 'nowhere',
    exit: 1,
    code: 'stack_not_found',
    says: 'run npm start first',
  },
];

describe('a mistake', { timeout: 180_000 }, () => {
  it.each(mistakes)('$about', async ({ args, env = {}, folder, exit, code, says }) => {
    const words = args.map((word) => word.replace('~', home));
    const [people, programs] = await Promise.all([run(words, env, folder), run([...words, '--json'], env, folder)]);
    expect(people).toEqual({ code: exit, stdout: '', stderr: expect.stringMatching(says) });
    expect({ ...programs, stdout: '' }).toEqual({ code: exit, stdout: '', stderr: '' });
    const { error } = JSON.parse(programs.stdout) as { error: { code: string; message: string } };
    expect(error).toEqual({ code, message: expect.stringMatching(says) });
    // Said the same way, once.
    expect(people.stderr).toContain(error.message);
    const printed = people.stderr + programs.stdout;
    for (const secret of [key.slice(2, 40), password, wrongPassword]) expect(printed).not.toContain(secret);
  });

  it('over a limit of the owner pays nothing', async () => {
    const limit = async (...args: string[]) => expect((await run(['limits', 'set', ...args], {})).code).toBe(0);
    for (const [flags, command] of [
      [['--per-call', '0.000001'], call],
      [['--per-call', 'none', '--per-day', '0.000001'], call],
      [
        ['--per-day', 'none', '--per-deposit', '0.1'],
        ['channel', 'topup', '0.2', '--yes'],
      ],
    ] as const) {
      await limit(...flags);
      const { code, stderr } = await run(command, {});
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('(wallet_limit_exceeded)') });
      expect(stderr).toMatch(/Nothing was signed. To raise it, run: autopay limits set --per-/);
    }
    await limit('--per-deposit', 'none');
  });

  it('has cost nothing', async () => {
    const { stdout } = await run(['channel', 'status', '--json'], {});
    expect(JSON.parse(stdout)).toMatchObject({ channel: { deposit: '1000000', spent: '0', lastSigned: '0' } });
  });
});
