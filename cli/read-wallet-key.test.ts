import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { encryptKeystoreJson } from 'ethers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { walletAddress, walletKey } from '../client/testing/seed-wallet.ts';
import { readWalletKey } from './read-wallet-key.ts';

let keyFile: string;
let asked = 0;
let stdin: PassThrough;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-cli-key-'));
  keyFile = join(folder, 'wallet.json');
  const account = { address: walletAddress, privateKey: walletKey };
  const json = await encryptKeystoreJson(account, 'correct horse', { scrypt: { N: 2, r: 8, p: 1 } });
  await writeFile(keyFile, json, { mode: 0o600 });
  for (const name of ['KEY', 'FILE', 'PASSWORD']) vi.stubEnv(`AUTOPAY_WALLET_${name}`, undefined);
  stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as never);
  asked = 0;
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    if (String(text).startsWith('Password of')) asked += 1;
    return true;
  });
  return () => rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

it('asks for a keystore’s password once, however often the key is needed', async () => {
  stdin.write('correct horse\r');
  expect(await Promise.all([readWalletKey({ keyFile }), readWalletKey({ keyFile })])).toEqual([walletKey, walletKey]);
  expect(await readWalletKey({ keyFile })).toBe(walletKey);
  expect(asked).toBe(1);
});

it('does not ask at a pipe', async () => {
  Object.assign(stdin, { isTTY: false });
  await expect(readWalletKey({ keyFile })).rejects.toThrow(
    `Set AUTOPAY_WALLET_PASSWORD to the password of ${keyFile}.`,
  );
});
