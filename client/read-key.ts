import { open } from 'node:fs/promises';
import type { Hex } from '../protocol/bytes/hex.ts';
import { parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** The environment variable that holds the wallet's private key, as 0x-hex. */
const walletKeyVariable = 'AUTOPAY_WALLET_KEY';

/** A key file holds 67 characters; anything much longer is no key file. */
const maxKeyFileBytes = 1024;

/**
 * The wallet's private key, from the environment or else from a file that only its owner can read. There is no way to
 * give it as an argument: arguments show in process lists and shell histories.
 * @returns 0x-hex of 32 bytes.
 * @throws AutoPayError `key_file_unsafe` if others can read the file, `invalid_argument` if there is no key or it is none.
 */
export async function readKey(options: { keyFile?: string; environment?: NodeJS.ProcessEnv }): Promise<Hex> {
  const fromEnvironment = (options.environment ?? process.env)[walletKeyVariable];
  if (fromEnvironment !== undefined && fromEnvironment.trim() !== '') return checked(fromEnvironment);
  if (options.keyFile === undefined) {
    throw new AutoPayError(
      'invalid_argument',
      `There is no wallet key. Set ${walletKeyVariable}, or name a key file with mode 0600.`,
    );
  }
  return checked(await readKeyFile(options.keyFile));
}

async function readKeyFile(file: string): Promise<string> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new AutoPayError(
      'invalid_argument',
      `The key file ${file} cannot be read (${cause.code}). Set ${walletKeyVariable}, or mend it.`,
      {
        cause,
      },
    );
  });
  try {
    // The open file is asked, not the path, so that nobody can swap it in between.
    const status = await handle.stat();
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      throw new AutoPayError('key_file_unsafe', `Others can read the key file ${file}. Run: chmod 600 ${file}`);
    }
    if (!status.isFile() || status.size > maxKeyFileBytes) {
      throw new AutoPayError('invalid_argument', `${file} is not a key file: it should hold one 0x-hex private key.`);
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function checked(value: string): Hex {
  const trimmed = value.trim();
  parsePrivateKey(trimmed);
  return trimmed as Hex;
}
