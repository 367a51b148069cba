import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noteTypes, parseVerifierKey } from '../protocol/log/signed-note.ts';
import { openWitnessKey } from './witness-key.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-witness-'));
  file = join(folder, 'new', 'witness.key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a key is made once, for its owner only, and stays', async () => {
  await expect(openWitnessKey(file)).rejects.toMatchObject({ code: 'invalid_argument' });
  const { verifierKey } = await openWitnessKey(file, { name: 'witness.example/w1' });
  expect(parseVerifierKey(verifierKey)).toMatchObject({ name: 'witness.example/w1', type: noteTypes.cosignature });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await openWitnessKey(file)).verifierKey).toBe(verifierKey);
  expect((await openWitnessKey(file, { name: 'witness.example/w1' })).verifierKey).toBe(verifierKey);
  await expect(openWitnessKey(file, { name: 'witness.example/w2' })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});

test('a name that no key can have leaves no file', async () => {
  await expect(openWitnessKey(file, { name: 'with space' })).rejects.toMatchObject({ code: 'invalid_encoding' });
  await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a key that others may read, or that is none, is refused', async () => {
  await openWitnessKey(file, { name: 'witness.example/w1' });
  await chmod(file, 0o640);
  await expect(openWitnessKey(file)).rejects.toMatchObject({ code: 'key_file_unsafe' });
  await chmod(file, 0o600);
  await writeFile(file, 'witness.example/w1 00\n');
  await expect(openWitnessKey(file)).rejects.toMatchObject({ code: 'invalid_configuration' });
});
