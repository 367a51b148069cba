import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parsePrivateKey } from '../../protocol/bytes/secp256k1.ts';

/** The relay's secrets. They MUST NOT be logged. */
export interface RelayKeys {
  /** Private key of the relay's account, which also signs receipts; 32 bytes. */
  relayKey: Buffer;
  /** Makes the ids of challenges; at least 32 bytes. */
  challengeKey: Buffer;
  /** Seed of the Ed25519 key that signs checkpoints of the log; 32 bytes. */
  logKey: Buffer;
  /** What the operator sends as a bearer token; hexadecimal. */
  operatorToken: string;
  /** Opens LiteLLM's API of keys. */
  masterKey: string;
}

/**
 * Reads `keys/` of a data folder: `relay.key`, `challenge.key`, `log.key`, `operator.token`, `master.key`. All but the first only have
 * to be secret and are made where they are missing; the first is an account with a role on the chain, so it has to be there.
 *
 * @param env AUTOPAY_MASTER_KEY in it stands for `master.key`
 * @throws AutoPayError `key_file_unsafe` if others may read a file, `invalid_configuration` if one is missing or malformed
 */
export async function readKeys(
  dataDir: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RelayKeys> {
  const file = (name: string) => join(dataDir, 'keys', name);
  for (const name of ['challenge.key', 'log.key', 'operator.token']) await createSecret(file(name));
  const relayText = await readSecretFile(file('relay.key'));
  return {
    relayKey: parseRelayKey(relayText, file('relay.key')),
    challengeKey: Buffer.from(parseSecret(await readSecretFile(file('challenge.key')), file('challenge.key')), 'hex'),
    logKey: parseSeed(await readSecretFile(file('log.key')), file('log.key')),
    operatorToken: parseSecret(await readSecretFile(file('operator.token')), file('operator.token')),
    masterKey: await readMasterKey(env['AUTOPAY_MASTER_KEY']?.trim(), file('master.key')),
  };
}

async function readMasterKey(fromEnv: string | undefined, file: string): Promise<string> {
  if (!fromEnv) {
    await createSecret(file);
    return parseSecret(await readSecretFile(file), file);
  }
  if (/^[\x21-\x7e]{20,256}$/.test(fromEnv)) return fromEnv;
  const message =
    'AUTOPAY_MASTER_KEY has to be 20 to 256 printable characters without spaces. Generate it; invent none.';
  throw new AutoPayError('invalid_configuration', message);
}

/** Makes a file with 32 random bytes in hexadecimal, for its owner only, unless there is one. */
async function createSecret(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

const maxSecretBytes = 1024;

async function readSecretFile(file: string): Promise<string> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new AutoPayError('invalid_configuration', `Cannot read ${file}. "npm start" makes one for a local stack.`, {
      cause,
    });
  });
  try {
    // The open file is looked at, not its name, which could mean another file by now.
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw new AutoPayError(
        'key_file_unsafe',
        `Others may read ${file}. Run "chmod 600 ${file}", and replace the key if they did.`,
      );
    }
    if (size > maxSecretBytes) throw new AutoPayError('invalid_configuration', `${file} is too long to be a key.`);
    return (await handle.readFile('utf8')).trim();
  } finally {
    await handle.close();
  }
}

function parseRelayKey(text: string, file: string): Buffer {
  try {
    return parsePrivateKey(text);
  } catch (error) {
    const reason = error instanceof AutoPayError ? error.message : 'It is no private key.';
    throw new AutoPayError('invalid_configuration', `${file}: ${reason}`);
  }
}

function parseSeed(text: string, file: string): Buffer {
  const seed = Buffer.from(parseSecret(text, file), 'hex');
  if (seed.length === 32) return seed;
  throw new AutoPayError('invalid_configuration', `${file} has to hold 64 hexadecimal digits: an Ed25519 seed.`);
}

function parseSecret(text: string, file: string): string {
  const [, digits] = /^(?:0x)?((?:[0-9a-fA-F]{2}){32,128})$/.exec(text) ?? [];
  if (digits) return digits;
  throw new AutoPayError(
    'invalid_configuration',
    `${file} has to hold at least 64 hexadecimal digits. Remove it to get a new one.`,
  );
}
