import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doubleCharge, type RelayDouble } from '../client/testing/relay-double.ts';
import { walletKey } from '../client/testing/seed-wallet.ts';
import { listNetworks } from '../scripts/deploy/network-parameters.ts';
import { runAutopay, startCliStack, type CliStack } from './testing/start-cli-stack.ts';

const root = join(import.meta.dirname, '..');
let stack: CliStack;
let double: RelayDouble;
let dataDir: string;

beforeAll(async () => {
  stack = await startCliStack();
  ({ double, dataDir } = stack);
});
afterAll(() => stack.stop());

const run = runAutopay;
const here = () => ['--data-dir', dataDir];

describe('autopay', () => {
  it('says what to do where nothing is installed', async () => {
    const clone = await mkdtemp(join(tmpdir(), 'autopay-clone-'));
    try {
      await mkdir(join(clone, 'scripts'));
      await writeFile(join(clone, 'package.json'), '{"type":"module"}');
      await cp(join(root, 'cli'), join(clone, 'cli'), { recursive: true });
      await cp(join(root, 'scripts', 'resolve-node.js'), join(clone, 'scripts', 'resolve-node.js'));
      const { code, stderr } = await run(['models'], { file: join(clone, 'cli', 'autopay.js') });
      expect({ code, stderr }).toEqual({ code: 1, stderr: 'Nothing is installed here yet: run npm start first.\n' });
    } finally {
      await rm(clone, { recursive: true, force: true });
    }
  });

  it('hands arguments, output and exit code through its launcher', async () => {
    const file = join(root, 'cli', 'autopay.js');
    expect(await run(['nonsense', '--json'], { file })).toEqual({
      code: 2,
      stdout: '{"error":{"code":"invalid_argument","message":"unknown command \'nonsense\'"}}\n',
      stderr: '',
    });
  });

  it.each([[['--help']], [['help']], [['help', 'call']]])('explains itself with %j', async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Usage: autopay');
  });

  it('tells its version', async () => {
    const { code, stdout } = await run(['--version']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  it('explains itself through npx, which keeps --help for itself without the "--" of the examples', async () => {
    const npx = promisify(execFile)('npx', ['--no', 'autopay', '--', '--help'], { cwd: root });
    const { stdout } = await npx;
    expect(stdout).toContain('npx --no autopay -- models');
    expect(stdout).not.toMatch(/npx --no autopay (?!-- )/);
    for (const word of [
      'call',
      'chat',
      'spend',
      'replay',
      'wallet',
      'models',
      'channel',
      'limits',
      'keys',
      'login',
      'audit',
      'witness',
      'fsck',
      'relay',
      'gov',
      'budget',
      'dispute',
      'deploy',
      'Examples:',
      'AUTOPAY_WALLET_KEY',
      'AUTOPAY_WALLET_FILE',
      'AUTOPAY_WALLET_PASSWORD',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it('lists the networks that it can deploy to', async () => {
    const { stdout } = await run(['deploy', '--help']);
    for (const network of listNetworks()) expect(stdout).toContain(`"${network}"`);
  });

  const someone = `0x${'1'.repeat(40)}`;
  const deployOptions = ['--relay', someone, '--bond-payout', someone, '--agpt-holder', someone];
  it.each([
    [['call'], "missing required argument 'prompt'"],
    [['call', 'hi', '--max-tokens', '0'], 'whole number from 1'],
    [['relay', '--port', '70000'], '0 to 65535'],
    [['channel', 'open', '--depposit', '1'], "unknown option '--depposit'"],
    [['channel', 'topup'], "missing required argument 'amount'"],
    [['keys', 'delete'], "missing required argument 'id'"],
    [['limits', 'set', '--per-week', '1'], "unknown option '--per-week'"],
    [['gov', 'propose', 'set-budget', 'm'], "missing required argument 'agpt'"],
    [['gov', 'vote', 'last'], "missing required argument 'choice'"],
    [['gov', 'propose', 'wish'], "unknown command 'wish'"],
    [['replay'], "missing required argument 'callId'"],
    [['deploy', '--network', 'base'], "required option '--relay <address>' not specified"],
    [['deploy', '--network', 'bas', ...deployOptions], 'Allowed choices are base, baseSepolia, arbitrum,'],
    [['deploy', ...deployOptions], '--network is missing: choose one of base, baseSepolia, arbitrum,'],
    [['dispute', 'open'], 'say what to dispute'],
    [['dispute', 'open', 'overcharge', 'last'], 'say what to dispute'],
    [['dispute', 'open', 'not-in-log', 'last', '--amount', '1'], 'say what to dispute'],
    [[], 'Usage: autopay'],
  ])('exits with 2 for %j', async (args, message) => {
    const { code, stderr } = await run(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  it.each([
    [['call', 'hi', '--foo'], 'See autopay call --help.'],
    [['channel', 'nope'], 'See autopay channel --help.'],
    [['nope'], 'See autopay --help.'],
  ])('says whose help to read: %j', async (args, hint) => {
    expect((await run(args)).stderr).toContain(hint);
  });

  it('exits with 1 and a code where no stack runs', async () => {
    const missing = ['--data-dir', join(dataDir, 'none')];
    expect(await run(['call', 'hi', ...missing])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('run npm start first'),
    });
    const { code, stdout } = await run(['--json', 'channel', 'status', ...missing]);
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'stack_not_found' } }]);
  });
});

describe('autopay against a stack', () => {
  it('lists models', async () => {
    const { code, stdout } = await run(['models', ...here()]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^paid +1\.000000 USDC +2\.000000 USDC +8000 +4000$/m);
    expect(stdout).toMatch(/^free +free +free/m);
  });

  it('pays for a call and says what it cost', async () => {
    const { code, stdout, stderr } = await run(['call', 'hi', ...here()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^hello\ncall [0-9a-f-]{36} · 10 \+ 5 tokens · 0\.000020 USDC · receipt verified\n$/);
  });

  it('streams, and gives one JSON object', async () => {
    const { stdout } = await run(['--json', 'call', 'hi', '--stream', '--max-tokens', '9', ...here()]);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(result).toMatchObject({
      model: 'paid',
      answer: 'héllo wörld',
      charge: String(doubleCharge),
      isVerified: true,
    });
    const receipts = await readFile(join(dataDir, 'client', 'receipts.jsonl'), 'utf8');
    expect(receipts).toContain(String(result['callId']));
  });

  it('fails where the receipt does not hold, after showing the answer', async () => {
    double.mischief.changeReceipt = (receipt) => ({ ...receipt, modelAsked: 'another' });
    const { code, stdout, stderr } = await run(['call', 'hi', ...here()]);
    delete double.mischief.changeReceipt;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^hello\n.*receipt DOES NOT HOLD\n$/);
    expect(stderr).toContain('it is for model another');
  });

  it("shows the wallet's and the relay's refusals by code", async () => {
    const limited = await run(['call', 'hi', '--max-tokens', '900', '--max-cost', '0.000001', '--json', ...here()]);
    expect([limited.code, JSON.parse(limited.stdout)]).toMatchObject([
      1,
      { error: { code: 'spending_limit_reached' } },
    ]);
    const unknown = await run(['call', 'hi', '--model', 'none', ...here()]);
    expect(unknown).toMatchObject({ code: 1, stderr: 'no such model (model_not_found)\n' });
  });

  it(
    'sets the limits of the wallet, shows them with what is spent, and keeps to them',
    { timeout: 60_000 },
    async () => {
      // Finer than the token: it is neither rounded nor kept, because no call could be paid any more.
      expect(await run(['limits', 'set', '--per-call', '0.0000015', '--per-day', '2', ...here()])).toEqual({
        code: 2,
        stdout: '',
        stderr:
          'The limit for one call cannot be 0.0000015: USDC has 6 digits after the point. Write it with no more, such as: ' +
          'autopay limits set --per-call 2.5 (invalid_argument)\n',
      });
      expect(await run(['limits', 'set', '--per-day', '2', ...here()])).toEqual({
        code: 0,
        stdout: 'per call       none\nper day (UTC)  2 of the token that is paid in\nper deposit    none\n',
        stderr: '',
      });
      await run(['limits', 'set', '--per-call', '0.000001', ...here()]);
      const { stdout } = await run(['limits', ...here()]);
      expect(stdout).toMatch(
        /^per call {7}0\.000001 USDC\nper day \(UTC\) {2}2\.000000 USDC\nper deposit {4}none\nspent today {4}0\.00\d+ USDC, /,
      );
      const stopped = await run(['call', 'hi', '--max-tokens', '9', '--json', ...here()]);
      expect([stopped.code, JSON.parse(stopped.stdout)]).toMatchObject([
        1,
        { error: { code: 'wallet_limit_exceeded' } },
      ]);
      expect(await run(['limits', 'set', ...here()])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--per-day'),
      });
      expect((await run(['limits', 'set', '--per-day', 'much', ...here()])).code).toBe(2);
      const { stdout: none } = await run([
        'limits',
        'set',
        '--per-call',
        'none',
        '--per-day',
        'none',
        '--json',
        ...here(),
      ]);
      expect(JSON.parse(none)).toEqual({ limits: {} });
    },
  );

  it.each([[['topup', '1']], [['close']], [['close', '--on-chain']]])(
    'moves no deposit without leave: channel %j',
    async (args) => {
      const { code, stderr } = await run(['channel', ...args, ...here()]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('Give --yes')]);
    },
  );

  it('takes another chain only if something is known to be deployed there', async () => {
    const { code, stdout } = await run(['budget', 'status', '--json', '--rpc-url', stack.chain.rpcUrl]);
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      { error: { code: 'invalid_configuration', message: expect.stringContaining('autopay deploy') } },
    ]);
    const nowhere = await run(['gov', 'status', '--rpc-url', 'here']);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('(invalid_argument)') });
  });

  it('uses no key from a file that others can read, unless the environment has one', async () => {
    const keyFile = join(dataDir, 'wallet.key');
    await chmod(keyFile, 0o644);
    const refused = await run(['call', 'hi', '--json', ...here()]);
    const { code } = await run(['call', 'hi', ...here()], { env: { AUTOPAY_WALLET_KEY: walletKey } });
    await chmod(keyFile, 0o600);
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { error: { code: 'key_file_unsafe' } }]);
    expect(code).toBe(0);
  });
});
