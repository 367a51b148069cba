import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { walletAddress, walletKey } from '../../client/testing/seed-wallet.ts';
import { startCliStack, type CliStack } from '../testing/start-cli-stack.ts';

const password = { AUTOPAY_WALLET_PASSWORD: 'correct horse' };
let stack: CliStack;
let home: string;
beforeAll(async () => {
  stack = await startCliStack();
});
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'autopay-home-'));
  return () => rm(home, { recursive: true, force: true });
});
afterAll(() => stack.stop());

const parse = (stdout: string) => JSON.parse(stdout) as Record<string, unknown>;

describe('autopay wallet', { timeout: 120_000 }, () => {
  it('makes a wallet in the home folder, once', async () => {
    const file = join(home, '.autopay', 'wallet.json');
    const made = await stack.run(['wallet', 'new', '--json'], { env: { HOME: home, ...password } });
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(parse(made.stdout)).toEqual({ address: expect.stringMatching(/^0x[0-9a-f]{40}$/), file });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const again = await stack.run(['wallet', 'new', '--json'], { env: { HOME: home, ...password } });
    expect([again.code, parse(again.stdout)]).toMatchObject([2, { error: { code: 'invalid_argument' } }]);
    const shown = await stack.run(['wallet', 'address', '--json'], { env: { AUTOPAY_WALLET_FILE: file } });
    expect(parse(shown.stdout)).toEqual(parse(made.stdout));
  });

  it('imports a key, and commands pay from its keystore wherever a key file does', async () => {
    const file = join(home, 'imported.json');
    const imported = await stack.run(['wallet', 'import', '--file', file], {
      env: password,
      input: `${walletKey.slice(2)}\n`,
    });
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    expect(imported.stdout.toLowerCase()).toContain(walletAddress);
    expect(imported.stdout).not.toContain(walletKey.slice(2));
    const call = ['call', 'hi', '--json'];
    const paid = await stack.run(call, { env: { AUTOPAY_WALLET_FILE: file, ...password } });
    expect(parse(paid.stdout)).toMatchObject({ isVerified: true });
    const wrong = await stack.run(call, { env: { AUTOPAY_WALLET_FILE: file, AUTOPAY_WALLET_PASSWORD: 'wrong one' } });
    expect([wrong.code, parse(wrong.stdout)]).toMatchObject([
      2,
      { error: { code: 'invalid_argument', message: expect.stringContaining('the password is another one') } },
    ]);
    const none = await stack.run(call, { env: { AUTOPAY_WALLET_FILE: file } });
    expect(parse(none.stdout)).toMatchObject({
      error: { message: expect.stringContaining('AUTOPAY_WALLET_PASSWORD') },
    });
  });

  it("imports BlockRun's key, its variable before its session file", async () => {
    const options = (name: string) => ['wallet', 'import', '--blockrun', '--json', '--file', join(home, name)];
    const env = { HOME: home, ...password };
    expect(await stack.run(options('none'), { env })).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('There is no BlockRun wallet'),
    });
    await mkdir(join(home, '.blockrun'));
    await writeFile(join(home, '.blockrun', '.session'), walletKey, { mode: 0o600 });
    expect(parse((await stack.run(options('file'), { env })).stdout)).toMatchObject({ address: walletAddress });
    const other = { ...env, BLOCKRUN_WALLET_KEY: `0x${'33'.repeat(32)}` };
    const { address } = parse((await stack.run(options('variable'), { env: other })).stdout);
    expect(address).not.toBe(walletAddress);
  });

  it('writes nothing for what is no key, or without a password', async () => {
    const file = join(home, 'bad.json');
    const bad = await stack.run(['wallet', 'import', '--file', file], { env: password, input: 'ab'.repeat(31) });
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('64 hexadecimal digits')]);
    expect(bad.stderr).not.toContain('abab');
    const open = await stack.run(['wallet', 'new', '--file', file]);
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('Set AUTOPAY_WALLET_PASSWORD')]);
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('shows the address of the stack’s key, and what it has', async () => {
    const { stdout } = await stack.run(['wallet', 'address', '--json']);
    expect(parse(stdout)).toEqual({ address: walletAddress, file: join(stack.dataDir, 'wallet.key') });
    stack.chain.answers.set('balanceOf(address)', 2_500_000);
    const balance = await stack.run(['wallet', 'balance']);
    stack.chain.answers.delete('balanceOf(address)');
    expect(balance.stdout).toMatch(/^ether +0\.000000000000000001 ETH, for gas\nUSDC +2\.500000 USDC$/m);
  });

  it('says where to send money, with a QR code, where the chain has none to give', async () => {
    const { code, stdout } = await stack.run(['wallet', 'fund', '--amount', '2.5']);
    expect(code).toBe(0);
    expect(stdout.toLowerCase()).toContain(walletAddress);
    expect(stdout).toMatch(/^chain +31337\ntoken +USDC, contract 0x[0-9a-fA-F]{40}$/m);
    expect(stdout).toMatch(/^(█|▀|▄| ){30,}$/m);
    const { uri, funded } = parse((await stack.run(['wallet', 'fund', '--amount', '2.5', '--json'])).stdout);
    expect(funded).toBeNull();
    const checksummed = /^ethereum:(0x[0-9a-fA-F]{40})@31337\/transfer\?address=(0x[0-9a-fA-F]{40})&uint256=2500000$/;
    expect(uri).toMatch(checksummed);
    const unknown = await stack.run(['wallet', 'fund', '--token', 'DOGE']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('There are USDC')]);
  });
});
