import { open } from 'node:fs/promises';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { decryptKeystore, readKeystoreAddress } from './keystore.ts';

/** The environment variable that holds the wallet's private key, as 0x-hex. */
const walletKeyVariable = 'AUTOPAY_WALLET_KEY';
/** The environment variable that names a key file or a keystore, in place of the stack's. */
const walletFileVariable = 'AUTOPAY_WALLET_FILE';
/** The environment variable that holds the keystore's password, where nobody can be asked. */
export const walletPasswordVariable = 'AUTOPAY_WALLET_PASSWORD';

/** A key file holds 67 characters and a keystore about 600; anything much longer is neither. */
const maxKeyFileBytes = 4096;

/** Where a wallet's key is looked for. */
export interface KeySource {
  /** A key file (0x-hex) or a keystore (Web3 Secret Storage v3), for want of another in the environment. */
  keyFile?: string;
  environment?: NodeJS.ProcessEnv;
  /** Asks the owner for the keystore's password, where the environment has none. */
  askPassword?: (file: string) => Promise<string>;
}

/**
 * The wallet's private key: AUTOPAY_WALLET_KEY, or else what is in the file that AUTOPAY_WALLET_FILE names, or else in `keyFile`.
 * Only its owner may be able to read the file. There is no way to give a key as an argument: arguments show in process lists
 * and shell histories.
 * @returns 0x-hex of 32 bytes.
 * @throws AutoPayError `key_file_unsafe` if others can read the file, `invalid_argument` if there is no key, it is none, or the
 *   keystore's password is missing or wrong.
 */
export async function readKey(source: KeySource): Promise<Hex> {
  const found = await findKey(source);
  if (found.key !== undefined) return found.key;
  const { file, keystore } = found;
  const password = (source.environment ?? process.env)[walletPasswordVariable] ?? (await source.askPassword?.(file));
  if (password === undefined) {
    throw new AutoPayError('invalid_argument', `The keystore ${file} has a password: set ${walletPasswordVariable}.`);
  }
  return decryptKeystore(keystore, { file, password });
}

/** The wallet's address, from where `readKey` takes the key; of a keystore it is what the file states, without its password. */
export async function readKeyAddress(source: KeySource): Promise<{ address: Hex; file: string | null }> {
  const found = await findKey(source);
  if (found.key === undefined) return { address: found.address, file: found.file };
  return { address: addressOfPrivateKey(parsePrivateKey(found.key)), file: found.file };
}

type FoundKey = { key: Hex; file: string | null } | { key: undefined; file: string; keystore: string; address: Hex };

async function findKey({ keyFile, environment = process.env }: KeySource): Promise<FoundKey> {
  const fromEnvironment = environment[walletKeyVariable]?.trim();
  if (fromEnvironment) return { key: checked(fromEnvironment), file: null };
  const file = environment[walletFileVariable]?.trim() || keyFile;
  if (file === undefined) {
    throw new AutoPayError(
      'invalid_argument',
      `There is no wallet key. Set ${walletKeyVariable}, or ${walletFileVariable} to a key file or keystore with mode 0600.`,
    );
  }
  const text = await readKeyFile(file);
  const address = readKeystoreAddress(text, file);
  return address === undefined ? { key: checked(text), file } : { key: undefined, file, keystore: text, address };
}

/**
 * The text of a file that only its owner can read.
 * @throws AutoPayError `key_file_unsafe`, `invalid_argument`.
 */
export async function readKeyFile(file: string): Promise<string> {
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
      throw new AutoPayError(
        'invalid_argument',
        `${file} is not a key file: it should hold one 0x-hex private key, or a keystore.`,
      );
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
