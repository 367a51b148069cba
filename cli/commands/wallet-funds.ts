import { renderUnicodeCompact } from 'uqr';
import { formatEther, getAddress } from 'viem';
import { fetchRelayTerms } from '../../client/fetch-relay-terms.ts';
import { fundFromNode } from '../../client/fund-from-node.ts';
import { readBalances } from '../../client/read-balances.ts';
import { formatAmount, parseAmount } from '../../client/token-amount.ts';
import { findToken, type CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import { readWalletAddress } from './wallet.ts';

/** Whole tokens that are minted on a simulated chain where the owner names no amount. */
const defaultAmount = '100';

/** Shows what the wallet has of ether and of each token that the relay takes. */
export async function runWalletBalance(context: CommandContext): Promise<void> {
  const { relayUrl, rpcUrl } = await context.stack();
  const { address } = await readWalletAddress(context);
  const offer = await fetchRelayTerms({ relayUrl, fetch });
  const { wei, tokens } = await readBalances({ rpcUrl, offer, address });
  context.print({
    json: { address, chainId: offer.chainId, wei, tokens },
    text: formatTable([
      ['address', getAddress(address)],
      ['ether', `${formatEther(wei)} ETH, for gas`],
      ...tokens.map((token) => [token.symbol, formatAmount(token.amount, token)]),
    ]),
  });
}

/** Says where to send money, with a QR code; on a simulated chain the node gives some at once. */
export async function runWalletFund(
  context: CommandContext,
  options: { amount?: string; token?: string },
): Promise<void> {
  const stack = await context.stack();
  const { address } = await readWalletAddress(context);
  const { chainId, tokens } = await fetchRelayTerms({ relayUrl: stack.relayUrl, fetch });
  const offered = Object.fromEntries(tokens.map((token) => [token.symbol, token]));
  const token = findToken({ tokens: offered }, options.token ?? tokens[0]?.symbol ?? '');
  const amount = options.amount === undefined ? undefined : parseAmount(options.amount, token);
  const given = amount ?? parseAmount(defaultAmount, token);
  const isFunded = await fundFromNode({ rpcUrl: stack.rpcUrl, offer: { chainId }, token, to: address, amount: given });
  // EIP-681, which names chain, token and receiver; wallets that know only addresses are served by the text.
  const uri =
    `ethereum:${getAddress(token.address)}@${chainId}/transfer?address=${getAddress(address)}` +
    (amount === undefined ? '' : `&uint256=${amount}`);
  const place = [
    ['address', getAddress(address)],
    ['chain', String(chainId)],
    ['token', `${token.symbol}, contract ${getAddress(token.address)}`],
  ];
  context.print({
    json: { address, chainId, token, uri, funded: isFunded ? given : null },
    text: isFunded
      ? formatTable([...place, ['received', `${formatAmount(given, token)}, worth nothing outside this local chain`]])
      : `${renderUnicodeCompact(uri, { border: 2 })}\n${formatTable(place)}` +
        `Send ${token.symbol} on chain ${chainId} to the address, and a little ether for gas. On another chain it may be lost.\n`,
  });
}
