import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readImportKey } from './read-import-key.ts';

const key = `0x${'22'.repeat(32)}`;
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'autopay-import-'));
  return () => rm(home, { recursive: true, force: true });
});
afterEach(() => vi.restoreAllMocks());

/** Puts a pipe, or a terminal, with this input in the place of stdin, and reads a key from it. */
function readFrom(input: string, { isTTY = false } = {}): Promise<string> {
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => undefined });
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as never);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const reading = readImportKey({ isBlockRun: false });
  stdin.end(input);
  return reading;
}

describe('a key to import', () => {
  it.each([`${key}\n`, `${key.slice(2)}\r\n`, `  ${key}`])('comes down a pipe as %j', async (input) => {
    expect(await readFrom(input)).toBe(key);
  });

  it('is asked for at a terminal', async () => {
    expect(await readFrom(`${key}\r`, { isTTY: true })).toBe(key);
  });

  it.each(['', '22'.repeat(31), '0'.repeat(64), 'ff'.repeat(32), 'x'.repeat(100_000)])(
    'is not %s, which no error repeats',
    async (input) => {
      const error: unknown = await readFrom(input).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'invalid_argument' });
      if (input !== '') expect(String(error)).not.toContain(input);
    },
  );

  it("may be BlockRun's: its variable, or else its file", async () => {
    const place = { isBlockRun: true, home, environment: {} };
    await expect(readImportKey(place)).rejects.toThrow('There is no BlockRun wallet');
    const file = join(home, '.blockrun', '.session');
    await mkdir(join(home, '.blockrun'));
    await writeFile(file, key, { mode: 0o600 });
    expect(await readImportKey(place)).toBe(key);
    const other = `0x${'33'.repeat(32)}`;
    expect(await readImportKey({ ...place, environment: { BLOCKRUN_WALLET_KEY: other } })).toBe(other);
    await chmod(file, 0o644);
    await expect(readImportKey(place)).rejects.toMatchObject({ code: 'key_file_unsafe' });
  });
});
