import { connectWalletChain } from '../../client/open-channel.ts';
import { formatAmount, parseAmount } from '../../client/token-amount.ts';
import type { WalletChannel } from '../../client/wallet-state.ts';
import type { RelayTerms } from '../../client/fetch-relay-terms.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';

/** What `autopay channel open` was given. */
export interface ChannelOpenOptions {
  /** In whole tokens. */
  deposit?: string;
  /** Open a further channel even if there is one. */
  isNew: boolean;
  /** Symbol of the token to open it in. */
  token?: string;
}

/** Opens a channel, unless there is one. */
export async function runChannelOpen(context: CommandContext, options: ChannelOpenOptions): Promise<void> {
  const wallet = await openStackWallet(await context.stack(), { symbol: options.token });
  const { terms, channels } = await wallet.connect();
  const deposit = options.deposit === undefined ? wallet.depositFor(terms) : parseAmount(options.deposit, terms.token);
  const before = options.isNew ? undefined : await channels.current();
  const channel =
    before ?? (await showProgress('Opening the channel', channels.ensure({ deposit, isAnother: options.isNew })));
  const isOpened = before === undefined;
  context.print({
    json: { opened: isOpened, channel: describe(channel, terms) },
    text:
      (isOpened ? 'The channel is open.\n' : 'There is a channel already; --new opens another.\n') +
      formatTable([
        ['channel', channel.channelId],
        ['deposit', formatAmount(channel.deposit, terms.token)],
      ]),
  });
}

/** Shows the channel in use, by the wallet's books and by the chain. */
export async function runChannelStatus(context: CommandContext, options: { token?: string }): Promise<void> {
  const stack = await context.stack();
  const wallet = await openStackWallet(stack, { symbol: options.token });
  const { terms, channels } = await wallet.connect();
  const channel = await channels.current();
  if (!channel) {
    context.print({
      json: { channel: null },
      text: 'No channel yet: the first call opens one, or autopay channel open.\n',
    });
    return;
  }
  const { privateKey } = wallet.options;
  const onChain = await connectWalletChain({ rpcUrl: stack.rpcUrl, privateKey, terms }).readChannel(channel.channelId);
  const money = (amount: bigint) => formatAmount(amount, terms.token);
  context.print({
    json: { channel: describe(channel, terms), chain: onChain ?? null },
    text: formatTable([
      ['channel', channel.channelId],
      ['payer', channel.payer],
      ['deposit', money(channel.deposit)],
      ['spent', `${money(channel.spent)} in ${channel.sequence} calls, by their receipts`],
      ['left', money(channel.deposit - channel.spent)],
      ['signed', `${money(channel.lastSigned)}: the most that the relay can take so far`],
      ['collected', onChain ? money(onChain.settled) : 'the chain does not know this channel'],
      ['state', onChain?.isClosing ? 'closing or closed' : 'open'],
    ]),
  });
}

function describe(channel: WalletChannel, { token }: RelayTerms) {
  const { channelId, payer, payee, escrow, chainId, deposit, spent, lastSigned, sequence } = channel;
  return { channelId, payer, payee, escrow, chainId, token, deposit, spent, lastSigned, sequence };
}
