import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { doubleTerms, type RelayDouble } from './relay-double.ts';

const key = Buffer.alloc(32, 0x22);
/** The wallet's key in tests. */
export const walletKey: Hex = toHex(key);
/** Its address. */
export const walletAddress = addressOfPrivateKey(key);
/** The channel that `seedWallet` opens. */
export const seededChannelId: Hex = `0x${'c4'.repeat(32)}`;

/** A state folder with an open channel that the relay double knows too, so that no chain is needed. */
export async function seedWallet(
  double: RelayDouble,
  options: { deposit?: bigint } = {},
): Promise<{ stateDir: string; remove: () => Promise<void> }> {
  const deposit = options.deposit ?? 1_000_000n;
  const stateDir = await mkdtemp(join(tmpdir(), 'autopay-wallet-'));
  const { chainId, escrow, payee, priceOracle, priceBook, keyRegistry, token } = doubleTerms;
  const identity = {
    relayUrl: double.url,
    chainId,
    escrow,
    payee,
    ...{ priceOracle, priceBook, keyRegistry },
    token: token.address,
    tokenDecimals: token.decimals,
    payer: walletAddress,
    saltIndex: 0,
    channelId: seededChannelId,
  };
  const amounts = { deposit: String(deposit), lastSigned: '0', spent: '0', sequence: 0, lowerVouchers: 0 };
  const channel = { ...identity, status: 'open', ...amounts, recovered: false };
  await writeFile(join(stateDir, 'channels.json'), JSON.stringify({ version: 1, channels: [channel] }), {
    mode: 0o600,
  });
  double.books.set(seededChannelId, {
    payer: walletAddress,
    deposit,
    accepted: 0n,
    charged: 0n,
    reserved: 0n,
    sequence: 0,
    used: new Set(),
  });
  return { stateDir, remove: () => rm(stateDir, { recursive: true, force: true }) };
}
