import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readKeys } from './read-keys.ts';

const relayKey = `0x${'11'.repeat(32)}`;
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-keys-'));
  await mkdir(join(dataDir, 'keys'));
});
afterEach(() => rm(dataDir, { recursive: true }));
const put = (name: string, text: string, mode = 0o600) => writeFile(join(dataDir, 'keys', name), text, { mode });

it('reads the relay’s key and makes the secrets that are missing, once, for their owner only', async () => {
  await put('relay.key', `${relayKey}\n`);
  const keys = await readKeys(dataDir);
  expect(keys.relayKey.toString('hex')).toBe('11'.repeat(32));
  expect(keys.challengeKey).toHaveLength(32);
  expect(keys.logKey).toHaveLength(32);
  expect(keys.operatorToken).toMatch(/^[0-9a-f]{64}$/);
  expect((await stat(join(dataDir, 'keys/operator.token'))).mode & 0o777).toBe(0o600);
  expect(await readKeys(dataDir)).toEqual(keys);
});

it('takes secrets with or without 0x', async () => {
  await put('relay.key', relayKey);
  await put('operator.token', `0x${'ab'.repeat(32)}`);
  await put('challenge.key', 'cd'.repeat(32));
  expect(await readKeys(dataDir)).toMatchObject({
    operatorToken: 'ab'.repeat(32),
    challengeKey: Buffer.alloc(32, 0xcd),
  });
});

const secrets = ['relay.key', 'challenge.key', 'log.key', 'operator.token'];

it.each(secrets)('refuses %s if others may read it', async (name) => {
  for (const file of secrets) await put(file, relayKey);
  for (const mode of [0o640, 0o604, 0o620]) {
    await chmod(join(dataDir, 'keys', name), mode);
    const message = expect.stringContaining(`chmod 600`) as string;
    await expect(readKeys(dataDir)).rejects.toMatchObject({ code: 'key_file_unsafe', message });
  }
});

it('refuses what is missing or no key, without repeating it', async () => {
  await expect(readKeys(dataDir)).rejects.toMatchObject({ code: 'invalid_configuration' });
  for (const bad of ['', 'deadbeef', `0x${'00'.repeat(32)}`, relayKey.slice(2), 'f'.repeat(5000)]) {
    await put('relay.key', bad);
    const error = await readKeys(dataDir).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'invalid_configuration' });
    if (bad.length > 8) expect(String(error)).not.toContain(bad.slice(0, 32));
  }
  await put('relay.key', relayKey);
  await put('log.key', 'ab'.repeat(33));
  await expect(readKeys(dataDir)).rejects.toThrow('log.key has to hold 64 hexadecimal digits');
  await put('log.key', 'ab'.repeat(32));
  await put('operator.token', 'short');
  await expect(readKeys(dataDir)).rejects.toMatchObject({ code: 'invalid_configuration' });
  expect(await readFile(join(dataDir, 'keys/operator.token'), 'utf8')).toBe('short');
});

it('takes the master key from the environment, else makes one', async () => {
  await put('relay.key', relayKey);
  const fromEnv = await readKeys(dataDir, { AUTOPAY_MASTER_KEY: ' sk-0123456789-0123456789 ' });
  expect(fromEnv.masterKey).toBe('sk-0123456789-0123456789');
  await expect(stat(join(dataDir, 'keys/master.key'))).rejects.toMatchObject({ code: 'ENOENT' });
  const made = await readKeys(dataDir, { AUTOPAY_MASTER_KEY: '' });
  expect(made.masterKey).toMatch(/^[0-9a-f]{64}$/);
  expect((await stat(join(dataDir, 'keys/master.key'))).mode & 0o777).toBe(0o600);
  expect((await readKeys(dataDir)).masterKey).toBe(made.masterKey);
});

it('refuses a master key that can be guessed, without repeating it', async () => {
  await put('relay.key', relayKey);
  for (const bad of ['sk-1234', 'x'.repeat(19), 'x'.repeat(257), 'twenty characters, spaces']) {
    const error = await readKeys(dataDir, { AUTOPAY_MASTER_KEY: bad }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'invalid_configuration' });
    expect(String(error)).not.toContain(bad);
  }
});
