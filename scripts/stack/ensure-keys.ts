import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** The secrets of a stack. */
export interface StackKeys {
  relayKey: Hex;
  walletKey: Hex;
  walletKeyFile: string;
  operatorTokenFile: string;
}

/** Reads a secret, or makes a random one of 32 bytes; the file is readable by its owner only. */
async function ensureSecret(file: string, prefix: '0x' | ''): Promise<string> {
  try {
    const text = prefix + randomBytes(32).toString('hex');
    await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
    return text;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return (await readFile(file, 'utf8')).trim();
  }
}

/**
 * Makes the keys that a data folder lacks: the relay's, the one its challenges are bound with, the operator's token and
 * the demo wallet's. A random key is a valid secp256k1 key but for odds of 2^-128.
 */
export async function ensureKeys(dataDir: string): Promise<StackKeys> {
  const folder = join(dataDir, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const walletKeyFile = join(folder, 'demo-wallet.key');
  const operatorTokenFile = join(folder, 'operator.token');
  await ensureSecret(join(folder, 'challenge.key'), '');
  await ensureSecret(operatorTokenFile, '');
  return {
    relayKey: (await ensureSecret(join(folder, 'relay.key'), '0x')) as Hex,
    walletKey: (await ensureSecret(walletKeyFile, '0x')) as Hex,
    walletKeyFile,
    operatorTokenFile,
  };
}
