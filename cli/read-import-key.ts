import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile } from '../client/read-key.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { askSecret } from './ask-secret.ts';

/** Where BlockRun's tools keep their key: the variable counts before the file, which holds it as plain hex. */
const blockRunVariable = 'BLOCKRUN_WALLET_KEY';
const blockRunFile = join('.blockrun', '.session');
/** More than a key and its line break. */
const maxInputBytes = 1_024;

/** Where BlockRun's key is looked for. */
interface BlockRunPlace {
  environment?: NodeJS.ProcessEnv;
  home?: string;
}

/**
 * The private key to import: BlockRun's, or else one line of stdin, which a terminal does not show.
 * @returns 0x-hex of 32 bytes.
 * @throws AutoPayError `invalid_argument` if there is none, `key_file_unsafe` if others can read BlockRun's file.
 */
export async function readImportKey(options: BlockRunPlace & { isBlockRun: boolean }): Promise<Hex> {
  const text = options.isBlockRun ? await readBlockRunKey(options) : await readTypedKey();
  const key = /^[0-9a-fA-F]{64}$/.test(text.trim()) ? `0x${text.trim()}` : text.trim();
  parsePrivateKey(key);
  return key as Hex;
}

async function readBlockRunKey({ environment = process.env, home = homedir() }: BlockRunPlace): Promise<string> {
  const given = environment[blockRunVariable]?.trim();
  if (given) return given;
  const file = join(home, blockRunFile);
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (isThere) return readKeyFile(file);
  throw new AutoPayError('invalid_argument', `There is no BlockRun wallet: neither ${blockRunVariable} nor ${file}.`);
}

async function readTypedKey(): Promise<string> {
  if (process.stdin.isTTY) return askSecret('Private key: ', { remedy: 'Pipe the key in.' });
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > maxInputBytes) break;
  }
  return text;
}
