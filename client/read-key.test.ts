import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptKeystoreJson } from 'ethers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKey, readKeyAddress } from './read-key.ts';
import { walletAddress } from './testing/seed-wallet.ts';

const key = `0x${'22'.repeat(32)}`;
const environment = {};
let folder: string;
let keyFile: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-key-'));
  keyFile = join(folder, 'wallet.key');
  await writeFile(keyFile, `${key}\n`, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the wallet key', () => {
  it('comes from the environment first, then from its file', async () => {
    expect(await readKey({ keyFile, environment })).toBe(key);
    const other = `0x${'33'.repeat(32)}`;
    expect(await readKey({ keyFile, environment: { AUTOPAY_WALLET_KEY: other } })).toBe(other);
  });

  it('is refused from a file that others can read', async () => {
    for (const mode of [0o640, 0o604, 0o666]) {
      await chmod(keyFile, mode);
      await expect(readKey({ keyFile, environment })).rejects.toMatchObject({ code: 'key_file_unsafe' });
    }
  });

  it('is never shown in an error', async () => {
    const bad = `0x${'ab'.repeat(31)}`;
    await writeFile(keyFile, bad);
    const error: unknown = await readKey({ keyFile, environment }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_argument' });
    expect(String(error)).not.toContain('abab');
  });

  it('is missed with a remedy', async () => {
    await expect(readKey({ environment })).rejects.toThrow(/AUTOPAY_WALLET_KEY/);
    await expect(readKey({ keyFile: join(folder, 'none'), environment })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});

describe('a keystore in the place of a key file', () => {
  const password = 'correct horse';
  beforeEach(async () => {
    const account = { address: walletAddress, privateKey: key };
    await writeFile(keyFile, await encryptKeystoreJson(account, password, { scrypt: { N: 2, r: 8, p: 1 } }));
  });

  it('opens with the password of the environment, or else with the owner’s answer', async () => {
    expect(await readKey({ keyFile, environment: { AUTOPAY_WALLET_PASSWORD: password } })).toBe(key);
    const asked: string[] = [];
    const askPassword = async (file: string) => {
      asked.push(file);
      return password;
    };
    expect(await readKey({ keyFile, environment, askPassword })).toBe(key);
    expect(asked).toEqual([keyFile]);
  });

  it('says what is missing where nobody can be asked', async () => {
    await expect(readKey({ keyFile, environment })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: `The keystore ${keyFile} has a password: set AUTOPAY_WALLET_PASSWORD.`,
    });
  });

  it('tells its address without the password', async () => {
    expect(await readKeyAddress({ keyFile, environment })).toEqual({ address: walletAddress, file: keyFile });
    expect(await readKeyAddress({ environment: { AUTOPAY_WALLET_KEY: key } })).toEqual({
      address: walletAddress,
      file: null,
    });
  });

  it('is refused where others can read it', async () => {
    await chmod(keyFile, 0o640);
    await expect(readKeyAddress({ keyFile, environment })).rejects.toMatchObject({ code: 'key_file_unsafe' });
  });

  it('comes from AUTOPAY_WALLET_FILE before the stack’s file, and after AUTOPAY_WALLET_KEY', async () => {
    const other = join(folder, 'other.key');
    const otherKey = `0x${'33'.repeat(32)}`;
    await writeFile(other, otherKey, { mode: 0o600 });
    expect(await readKey({ keyFile, environment: { AUTOPAY_WALLET_FILE: other } })).toBe(otherKey);
    const both = { AUTOPAY_WALLET_FILE: other, AUTOPAY_WALLET_KEY: key };
    expect(await readKey({ keyFile, environment: both })).toBe(key);
  });
});
