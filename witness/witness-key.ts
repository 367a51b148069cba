import { randomBytes } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createCosigner, type NoteSigner } from '../protocol/log/signed-note.ts';

/**
 * The witness's key, which is made at the first call. The file has one line, `<name> <seed>`: the seed is 32 bytes in hexadecimal. It is
 * for its owner only, and the witness is its name and its key: neither may serve another witness.
 *
 * @param options.name of a witness that has no key yet, such as `witness.example.com/w1`; of one that has, it has to be the same
 * @throws AutoPayError `key_file_unsafe` if others may read the file, `invalid_configuration` if it is malformed,
 * `invalid_argument` without a name for a new one, or with another
 */
export async function openWitnessKey(file: string, options: { name?: string | undefined } = {}): Promise<NoteSigner> {
  const { name } = options;
  const text = (await readSecret(file)) ?? (name === undefined ? undefined : await createKey(file, name));
  if (text === undefined) {
    throw new AutoPayError(
      'invalid_argument',
      'The witness has no key yet. Make one: autopay witness key --name <name>.',
    );
  }
  const [, ownName = '', seed = ''] = /^(\S+) ([0-9a-f]{64})\n?$/.exec(text) ?? [];
  if (seed === '') {
    throw new AutoPayError(
      'invalid_configuration',
      `${file} is not a witness's key. Restore it, or make another witness.`,
    );
  }
  if (name !== undefined && name !== ownName) {
    const message = `The key in ${file} is of ${ownName}, not of ${name}. Give every witness a folder of its own.`;
    throw new AutoPayError('invalid_argument', message);
  }
  return createCosigner({ name: ownName, seed: Buffer.from(seed, 'hex') });
}

/** Undefined if there is no such file. */
async function readSecret(file: string): Promise<string | undefined> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) === 0 || process.platform === 'win32') return await handle.readFile('utf8');
    throw new AutoPayError('key_file_unsafe', `Others may read ${file}. Run: chmod 600 ${file}`);
  } finally {
    await handle.close();
  }
}

/** The key MUST survive a loss of power before anything is signed by it. */
async function createKey(file: string, name: string): Promise<string> {
  const text = `${name} ${randomBytes(32).toString('hex')}\n`;
  // Throws where no key can have the name, before there is a file.
  createCosigner({ name, seed: Buffer.alloc(32, 1) });
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  for (const [path, flags] of [
    [file, 'wx'],
    [dirname(file), 'r'],
  ] as const) {
    const handle = await open(path, flags, 0o600);
    try {
      if (flags === 'wx') await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  return text;
}
