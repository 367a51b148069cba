import type { Wallet } from './open-wallet.ts';

/** What `GET /wallet` of the sidecar and `autopay limits` tell. Amounts are strings of atomic units of `token`. */
export interface WalletDescription {
  address: string;
  relayUrl: string;
  chainId: number;
  token: { symbol: string; address: string; decimals: number };
  /** null without a chain to ask. */
  balance: string | null;
  /** The one in use; null before the first call. */
  channel: { channelId: string; deposit: string; spent: string; signed: string; left: string } | null;
  /** What this day's calls (UTC) have cost, with what those under way may cost. */
  spentToday: string;
  /** null: no limit. */
  limits: { perCall: string | null; perDay: string | null; perDeposit: string | null };
}

/** Tells what a wallet has, has spent, and may spend. */
export async function describeWallet(wallet: Wallet): Promise<WalletDescription> {
  const connection = await wallet.connect();
  const { terms, channels } = connection;
  const { symbol, address, decimals } = terms.token;
  const [held, channel, spentToday, limits] = await Promise.all([
    connection.balance(),
    channels.current(),
    channels.spentToday(),
    channels.limits(),
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
    limits: { perCall: textOf(limits.perCall), perDay: textOf(limits.perDay), perDeposit: textOf(limits.perDeposit) },
  };
}

function textOf(amount: bigint | undefined): string | null {
  return amount === undefined ? null : String(amount);
}
