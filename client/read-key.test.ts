import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKey } from './read-key.ts';

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
