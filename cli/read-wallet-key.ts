import { readKey, walletPasswordVariable } from '../client/read-key.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { askSecret } from './ask-secret.ts';

/** A command that needs the key twice must not ask for the password twice. */
const known = new Map<string | undefined, Promise<Hex>>();

/** The wallet's key as `readKey` finds it; a keystore's password is asked for at the terminal, once per run. */
export function readWalletKey(options: { keyFile?: string }): Promise<Hex> {
  const reading =
    known.get(options.keyFile) ??
    readKey({
      ...options,
      askPassword: (file) =>
        askSecret(`Password of ${file}: `, { remedy: `Set ${walletPasswordVariable} to the password of ${file}.` }),
    });
  known.set(options.keyFile, reading);
  return reading;
}
