import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { parseJson } from '../protocol/text/parse-json.ts';
import { createFileDurably } from './create-file-durably.ts';

/** What is read without the password. */
const headSchema = z.object({ version: z.literal(3), address: z.string().regex(/^(0x)?[0-9a-fA-F]{40}$/) });
/** A password that is quicker to guess makes the encryption worth little. */
const minPasswordLength = 8;

/** A password for a keystore that is about to be written. */
export function checkNewPassword(password: string): void {
  if (password.length >= minPasswordLength) return;
  throw new AutoPayError('invalid_argument', `Choose a password of at least ${minPasswordLength} characters.`);
}

/**
 * Writes a private key as Web3 Secret Storage v3 (scrypt, AES-128-CTR), which geth, ethers and most wallets read. The file
 * has mode 0600 and is on the disk when this resolves; its folder is created (0700).
 * @returns the key's address.
 * @throws AutoPayError `invalid_argument` if the file exists (a wallet is never overwritten), or for a weak password.
 */
export async function writeKeystore(file: string, secret: { privateKey: Hex; password: string }): Promise<Hex> {
  checkNewPassword(secret.password);
  const { encryptKeystoreJson } = await import('ethers');
  const address = addressOfPrivateKey(parsePrivateKey(secret.privateKey));
  const written = await encryptKeystoreJson({ address, privateKey: secret.privateKey }, secret.password);
  // ethers writes `Crypto`, which readers that keep to the specification's letter do not find.
  const json = written.replace('"Crypto":', '"crypto":');
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  if (!(await createFileDurably(file, `${json}\n`))) {
    throw new AutoPayError(
      'invalid_argument',
      `${file} exists already. Name another file with --file, or move it away.`,
    );
  }
  return address;
}

/**
 * The address that a keystore states; undefined if the text is no JSON object, so no keystore. It is only the file's word until the
 * keystore is decrypted, which checks it.
 * @param file names it in errors.
 * @throws AutoPayError `invalid_argument` for JSON of another kind.
 */
export function readKeystoreAddress(text: string, file: string): Hex | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  const parsed = headSchema.safeParse(parseJson(text));
  if (parsed.success) return `0x${parsed.data.address.replace(/^0x/, '').toLowerCase()}`;
  throw new AutoPayError(
    'invalid_argument',
    `${file} is no keystore of version 3 (Web3 Secret Storage) with an address.`,
  );
}

/**
 * Decrypts a keystore; takes about a second, by design.
 * @param file names it in errors.
 * @throws AutoPayError `invalid_argument` for another password, or a keystore that is damaged.
 */
export async function decryptKeystore(
  text: string,
  { file, password }: { file: string; password: string },
): Promise<Hex> {
  const { decryptKeystoreJson } = await import('ethers');
  try {
    return (await decryptKeystoreJson(text, password)).privateKey as Hex;
  } catch (cause) {
    // ethers tells the two apart, but only in the words of its message.
    const isPassword = cause instanceof Error && cause.message.includes('incorrect password');
    const reason = isPassword
      ? 'the password is another one'
      : 'it is damaged, or encrypted in a way that is not known here';
    throw new AutoPayError('invalid_argument', `The keystore ${file} does not open: ${reason}.`, { cause });
  }
}
