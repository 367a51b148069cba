import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { getAddress } from 'viem';
import { checkNewPassword, writeKeystore } from '../../client/keystore.ts';
import { readKeyAddress, walletPasswordVariable } from '../../client/read-key.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { askSecret } from '../ask-secret.ts';
import type { CommandContext } from '../command-context.ts';
import { readImportKey } from '../read-import-key.ts';
import { formatTable } from '../output.ts';

/** Where a keystore goes. */
export interface WalletFileOptions {
  /** Default: AUTOPAY_WALLET_FILE, or else ~/.autopay/wallet.json. */
  file?: string;
}

/** Makes a wallet with a random key. */
export async function runWalletNew(context: CommandContext, options: WalletFileOptions): Promise<void> {
  // 32 random bytes are a valid key but for odds of 2^-128; writing it would refuse the others.
  await store(context, options, toHex(randomBytes(32)));
}

/** Encrypts a key that the owner has already. */
export async function runWalletImport(
  context: CommandContext,
  { blockrun: isBlockRun = false, ...options }: WalletFileOptions & { blockrun?: boolean },
): Promise<void> {
  await store(context, options, await readImportKey({ isBlockRun }));
}

/** Shows the address that commands pay from, and where its key is. */
export async function runWalletAddress(context: CommandContext): Promise<void> {
  const { address, file } = await readWalletAddress(context);
  context.print({
    json: { address, file },
    text: formatTable([
      ['address', getAddress(address)],
      ['key', file ?? 'in AUTOPAY_WALLET_KEY'],
    ]),
  });
}

/** The wallet's address; a keystore is not decrypted for it. Works without a stack where the environment names a wallet. */
export async function readWalletAddress(context: CommandContext): Promise<{ address: Hex; file: string | null }> {
  const { AUTOPAY_WALLET_KEY: key, AUTOPAY_WALLET_FILE: file } = process.env;
  if (key?.trim() || file?.trim()) return readKeyAddress({});
  return readKeyAddress({ keyFile: (await context.stack()).wallet.keyFile });
}

async function store(context: CommandContext, options: WalletFileOptions, privateKey: Hex): Promise<void> {
  const named = options.file ?? process.env['AUTOPAY_WALLET_FILE']?.trim();
  const file = resolve(named || join(homedir(), '.autopay', 'wallet.json'));
  const address = await writeKeystore(file, { privateKey, password: await readNewPassword() });
  context.print({
    json: { address, file },
    text:
      formatTable([
        ['address', getAddress(address)],
        ['keystore', file],
      ]) +
      `Commands pay from it where AUTOPAY_WALLET_FILE=${file} is set.\n` +
      'Keep a copy of the file, and the password elsewhere: without either of them the money is lost.\n',
  });
}

async function readNewPassword(): Promise<string> {
  const given = process.env[walletPasswordVariable];
  if (given !== undefined) return given;
  const remedy = `Set ${walletPasswordVariable} to the password that the wallet is to have.`;
  const password = await askSecret('New password: ', { remedy });
  checkNewPassword(password);
  if ((await askSecret('The same again: ', { remedy })) === password) return password;
  throw new AutoPayError('invalid_argument', 'The passwords differ: nothing was written. Try again.');
}
