import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptKeystoreJson, Wallet } from 'ethers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decryptKeystore, readKeystoreAddress, writeKeystore } from './keystore.ts';
import { walletAddress, walletKey } from './testing/seed-wallet.ts';

const password = 'correct horse';
const timeout = 60_000;
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-keystore-'));
  file = join(folder, 'new', 'wallet.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A keystore whose password costs little to check. */
const quickKeystore = () =>
  encryptKeystoreJson({ address: walletAddress, privateKey: walletKey }, password, { scrypt: { N: 2, r: 8, p: 1 } });

describe('a keystore', () => {
  it('is Web3 Secret Storage v3 with scrypt, and opens in another library', { timeout }, async () => {
    expect(await writeKeystore(file, { privateKey: walletKey, password })).toBe(walletAddress);
    const text = await readFile(file, 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      version: 3,
      crypto: { cipher: 'aes-128-ctr', kdf: 'scrypt', kdfparams: { n: 131_072 } },
    });
    expect(text).not.toContain(walletKey.slice(2));
    expect(readKeystoreAddress(text, file)).toBe(walletAddress);
    expect((await Wallet.fromEncryptedJson(text, password)).privateKey).toBe(walletKey);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'new'))).mode & 0o777).toBe(0o700);
  });

  it('never replaces another', { timeout }, async () => {
    await writeKeystore(file, { privateKey: walletKey, password });
    const before = await readFile(file, 'utf8');
    await expect(writeKeystore(file, { privateKey: `0x${'33'.repeat(32)}`, password })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: `${file} exists already. Name another file with --file, or move it away.`,
    });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('wants a password that is worth something', async () => {
    const writing = writeKeystore(file, { privateKey: walletKey, password: 'seven77' });
    await expect(writing).rejects.toThrow('at least 8 characters');
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  it('opens with its password, and no other', async () => {
    const text = await quickKeystore();
    expect(await decryptKeystore(text, { file, password })).toBe(walletKey);
    await expect(decryptKeystore(text, { file, password: 'correct horsf' })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: `The keystore ${file} does not open: the password is another one.`,
    });
  });

  it('that states the address of another key does not open', async () => {
    const text = (await quickKeystore()).replace(walletAddress.slice(2), '1'.repeat(40));
    expect(readKeystoreAddress(text, file)).toBe(`0x${'1'.repeat(40)}`);
    await expect(decryptKeystore(text, { file, password })).rejects.toThrow('it is damaged');
  });

  it.each(['{}', '{', '{"version":1,"address":"11"}', `{"version":1,"address":"${'1'.repeat(40)}"}`])(
    'is not %j',
    (text) => {
      expect(() => readKeystoreAddress(text, file)).toThrow(`${file} is no keystore of version 3`);
    },
  );

  it('is no key file', () => {
    expect(readKeystoreAddress(walletKey, file)).toBeUndefined();
  });
});
