import { encodeFunctionData } from 'viem';
import { z } from 'zod';
import type { Connection, Wallet } from '../../client/open-wallet.ts';
import { openRelaySession } from '../../client/relay-session.ts';
import { formatAmount, parseAmount } from '../../client/token-amount.ts';
import type { WalletChannel } from '../../client/wallet-state.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { amountSchema } from '../../protocol/payments/value-schemas.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { confirmSigning } from '../confirm-signing.ts';
import { openCommandDeployment, openCommandSender } from '../open-command-deployment.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';

const closedSchema = z.object({ transactionHash: z.string(), spent: amountSchema, returned: amountSchema });

/** What the commands have in common. */
interface FundsOptions {
  /** Symbol of the token of the channel. */
  token?: string;
  /** Ask nothing. */
  yes?: boolean;
}

/** Puts more money into the channel in use; false if the owner declined. */
export async function runChannelTopUp(
  context: CommandContext,
  options: FundsOptions & { amount: string },
): Promise<boolean> {
  const { channels, terms, channel } = await openChannelInUse(context, options);
  const amount = parseAmount(options.amount, terms.token);
  if (amount === 0n) throw new AutoPayError('invalid_argument', 'Give an amount above 0.');
  const text = `${formatAmount(amount, terms.token)} go into channel ${channel.channelId}; what calls do not spend comes back when it is closed.\n`;
  if (!(await confirmSigning(context, { text, account: channel.payer, isYes: options.yes === true }))) return false;
  const { channelId } = channel;
  const filling = channels.topUp({ channelId, amount, least: amount, isNeeded: () => true });
  const filled = await showProgress('Putting money into the channel', filling);
  context.print({
    json: { channelId, added: amount, deposit: filled.deposit, token: terms.token },
    text: formatTable([
      ['channel', channelId],
      ['deposit', formatAmount(filled.deposit, terms.token)],
    ]),
  });
  return true;
}

/** Ends the channel in use: through the relay at once, or on the chain without it; false if the owner declined. */
export async function runChannelClose(
  context: CommandContext,
  options: FundsOptions & { onChain?: boolean; keys?: boolean },
): Promise<boolean> {
  const { wallet, channels, terms, channel } = await openChannelInUse(context, options);
  const { channelId, payer } = channel;
  const money = (amount: bigint) => formatAmount(amount, terms.token);
  const how =
    options.onChain === true
      ? 'Without the relay: after the grace period, autopay channel withdraw takes what is left.'
      : `The relay takes what it charged; the rest of ${money(channel.deposit)} comes back.`;
  const text = `Channel ${channelId} is closed: no further call is paid from it. ${how}\n`;
  if (!(await confirmSigning(context, { text, account: payer, isYes: options.yes === true }))) return false;
  if (options.onChain === true) {
    const transactionHash = await sendToEscrow(context, 'requestClose', channelId);
    await channels.markClosed(channelId);
    context.print({
      json: { channelId, transactionHash, closing: true },
      text: 'The channel is closing. After the grace period (an hour), run: autopay channel withdraw\n',
    });
    return true;
  }
  const path = `/v1/channels/${channelId}/close`;
  const closing = openRelaySession(wallet).ask({ method: 'POST', path, schema: closedSchema });
  const closed = await showProgress('Closing the channel', closing);
  const { transactionHash, spent, returned } = closed;
  await channels.markClosed(channelId);
  context.print({
    json: { channelId, transactionHash, spent, returned, token: terms.token },
    text: formatTable([
      ['channel', channelId],
      ['spent', money(spent)],
      ['returned', `${money(returned)} to ${payer}`],
      ['transaction', transactionHash],
    ]),
  });
  return true;
}

/** Takes back what is left of the channels that were closed on the chain; false if the owner declined. */
export async function runChannelWithdraw(context: CommandContext, options: FundsOptions): Promise<boolean> {
  const wallet = await openStackWallet(await context.stack(), { symbol: options.token });
  const { channels, terms } = await wallet.connect();
  const { reader, contracts } = await openCommandDeployment(context, {});
  const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  const waiting: { channelId: Hex; left: bigint }[] = [];
  for (const { channelId } of await channels.closed()) {
    const found = await reader.readContract({ ...escrow, functionName: 'getChannel', args: [channelId] });
    if (found.deposit > 0n && !found.finalized) waiting.push({ channelId, left: found.deposit - found.settled });
  }
  const lines = waiting.map(({ channelId, left }) => [channelId, formatAmount(left, terms.token)]);
  if (waiting.length === 0) {
    context.print({ json: { withdrawn: [] }, text: 'Nothing to withdraw: no channel was closed with --on-chain.\n' });
    return true;
  }
  const text = `What is left of these channels goes to ${channels.payer}:\n${formatTable(lines)}`;
  if (!(await confirmSigning(context, { text, account: channels.payer, isYes: options.yes === true }))) return false;
  const withdrawn: { channelId: Hex; amount: bigint; transactionHash: Hex }[] = [];
  for (const { channelId, left } of waiting) {
    const transactionHash = await sendToEscrow(context, 'withdraw', channelId);
    withdrawn.push({ channelId, amount: left, transactionHash });
  }
  context.print({ json: { withdrawn, token: terms.token }, text: formatTable(lines) });
  return true;
}

async function openChannelInUse(
  context: CommandContext,
  options: FundsOptions & { keys?: boolean },
): Promise<Connection & { wallet: Wallet; channel: WalletChannel }> {
  const wallet = await openStackWallet(await context.stack(), { symbol: options.token });
  const connection = await wallet.connect();
  const { channels } = connection;
  const channel = options.keys === true ? await channels.forKeys() : await channels.current();
  if (channel) return { wallet, ...connection, channel };
  throw new AutoPayError(
    'invalid_argument',
    options.keys === true
      ? 'There is no channel for API keys: autopay keys fund opens one.'
      : 'There is no channel: the next call opens one, or autopay channel open.',
  );
}

async function sendToEscrow(
  context: CommandContext,
  functionName: 'requestClose' | 'withdraw',
  channelId: Hex,
): Promise<Hex> {
  const deployment = await openCommandDeployment(context, {});
  const sender = await openCommandSender(context, {}, deployment);
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName, args: [channelId] });
  const what = functionName === 'withdraw' ? 'The withdrawal' : 'The closing';
  const sending = sender.send(what, { to: deployment.contracts.paymentChannels, data });
  const { transactionHash } = await showProgress('Waiting for the transaction', sending);
  return transactionHash;
}
