import { z } from 'zod';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { dayOf } from './day-spending.ts';
import { isRelay } from './is-relay.ts';
import type { Wallet } from './open-wallet.ts';

const amount = z.string().regex(/^\d+$/).describe('atomic units of `token`');
const limit = amount.nullable().describe('atomic units of `token`; null: no limit');

const tokenSchema = z.strictObject({
  symbol: z.string(),
  address: z.string(),
  decimals: z.int().nonnegative().describe('atomic units per whole token, as a power of ten'),
});
const channelSchema = z.strictObject({
  channelId: z.string(),
  deposit: amount,
  spent: amount,
  signed: amount.describe('the most that the relay can take so far'),
  left: amount.describe('deposit less spent'),
});

/** What `GET /wallet` of the sidecar tells. Amounts are strings of atomic units. */
export const walletDescriptionSchema = z.strictObject({
  address: z.string().describe("the wallet's, which pays"),
  relayUrl: z.url(),
  chainId: z.int().positive().nullable(),
  token: tokenSchema.nullable().describe('what the relay is paid in; null where `relayUrl` is another service'),
  balance: amount
    .nullable()
    .describe('what the wallet has of `token` besides its channel; null without a chain to ask'),
  channel: channelSchema.nullable().describe('the one in use; null before the first call'),
  spentToday: amount.nullable().describe("what this day's calls (UTC) have cost, with what those under way may cost"),
  spentTodayIn: z
    .array(z.strictObject({ chainId: z.int().positive(), token: z.string(), amount: z.string() }))
    .describe('the same for every token that the wallet has paid in today, other services included'),
  limits: z.strictObject({ perCall: limit, perDay: limit, perDeposit: limit }).nullable(),
});

/** A wallet, described. */
export type WalletDescription = z.output<typeof walletDescriptionSchema>;

/** What `autopay limits` tells besides: a relay's wallet pays in one token. */
export type RelayWalletDescription = WalletDescription & {
  token: z.output<typeof tokenSchema>;
  spentToday: string;
  limits: NonNullable<WalletDescription['limits']>;
};

/** Tells what a wallet has, has spent, and may spend; of one that pays another service, what does not depend on the service. */
export async function describeWallet(wallet: Wallet): Promise<WalletDescription> {
  if (await isRelay(wallet)) return describeRelayWallet(wallet);
  const nothing = { chainId: null, token: null, balance: null, channel: null, spentToday: null, limits: null };
  const address = addressOfPrivateKey(parsePrivateKey(wallet.options.privateKey));
  return { address, relayUrl: wallet.relayUrl, ...nothing, spentTodayIn: await readSpending(wallet) };
}

/**
 * Tells what a wallet has, has spent, and may spend at its relay.
 * @throws AutoPayError what connecting to the relay throws.
 */
export async function describeRelayWallet(wallet: Wallet): Promise<RelayWalletDescription> {
  const connection = await wallet.connect();
  const { terms, channels } = connection;
  const { symbol, address, decimals } = terms.token;
  const [held, channel, spentToday, limits, spentTodayIn] = await Promise.all([
    connection.balance(),
    channels.current(),
    channels.spentToday(),
    channels.limits(),
    readSpending(wallet),
  ]);
  return {
    address: channels.payer,
    relayUrl: wallet.relayUrl,
    chainId: terms.chainId,
    token: { symbol, address, decimals },
    balance: textOf(held),
    channel: channel
      ? {
          channelId: channel.channelId,
          deposit: String(channel.deposit),
          spent: String(channel.spent),
          signed: String(channel.lastSigned),
          left: String(channel.deposit - channel.spent),
        }
      : null,
    spentToday: String(spentToday),
    spentTodayIn,
    limits: { perCall: textOf(limits.perCall), perDay: textOf(limits.perDay), perDeposit: textOf(limits.perDeposit) },
  };
}

async function readSpending({ state }: Wallet): Promise<WalletDescription['spentTodayIn']> {
  const today = dayOf(Date.now());
  const { spending } = await state.read();
  return spending.flatMap(({ chainId, token, day, amount: spent }) =>
    day === today ? [{ chainId, token, amount: String(spent) }] : [],
  );
}

function textOf(value: bigint | undefined): string | null {
  return value === undefined ? null : String(value);
}
