import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { larger } from '../protocol/bytes/compare-amounts.ts';
import { zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { computeChannelId, countedSalt } from '../protocol/typed-data/channel-id.ts';
import { pinTerms, type RelayTerms } from './fetch-relay-terms.ts';
import type { WalletChain } from './open-channel.ts';
import { formatAmount } from './token-amount.ts';
import { channelIn, type WalletChannel, type WalletState, type WalletStateFile } from './wallet-state.ts';
import { checkDeposit, type TokenLimits } from './wallet-limits.ts';
import { withLockFile } from './with-lock-file.ts';

/** A deposit takes two transactions at most, each waited for. */
export const depositWaitMs = 600_000;
/** How many numbers are looked up on the chain when searching for a channel; nobody loses more channels than that. */
const maxProbes = 64;

/** What of the chain finding a channel takes. */
type ChannelChain = Pick<WalletChain, 'readChannel' | 'openChannel' | 'topUpChannel' | 'balanceOf'>;

/** Which wallet, with which relay. */
export interface ChannelParties {
  relayUrl: string;
  terms: RelayTerms;
  payer: Hex;
  state: WalletStateFile;
  stateDir: string;
  /** undefined: no channel can be opened or found, only one that the state knows can be used. */
  chain: ChannelChain | undefined;
  /** What the owner lets the wallet spend; read anew for each deposit and call. */
  limits: () => Promise<TokenLimits>;
  onWarning: (message: string) => void;
}

/** How a channel is asked for. */
interface EnsureOptions {
  /** Atomic units, if one must be opened. */
  deposit: bigint;
  /** Open a further channel even if there is one. */
  isAnother?: boolean;
}

/** What a channel is opened for: the wallet's own calls, or those of its API keys, whose receipts the wallet does not see. */
type Purpose = 'open' | 'keys';

/** Finds or opens the channel of a wallet with a relay, in the token of the terms. */
export interface ChannelFinder {
  /** The channel in use, or undefined. */
  current(): Promise<WalletChannel | undefined>;
  /** The channel from which API keys spend, or undefined. */
  forKeys(): Promise<WalletChannel | undefined>;
  /** Opens a channel for API keys. */
  openForKeys(deposit: bigint): Promise<WalletChannel>;
  /** The channels that the owner has ended, oldest first. */
  closed(): Promise<WalletChannel[]>;
  /** Ends the use of a channel: the next call opens another. */
  markClosed(channelId: Hex): Promise<void>;
  /**
   * The channel in use; on first use it is opened, or found again on the chain. However many ask at once, in this process or in
   * others on the same folder, one deposit is made.
   * @throws AutoPayError `invalid_argument` if one must be opened and no chain is known; `wallet_limit_exceeded` for too large a
   *   deposit; what `WalletChain` throws.
   */
  ensure(options: EnsureOptions): Promise<WalletChannel>;
}

/** Makes the finder of a wallet's channels with one relay. */
export function createChannelFinder(parties: ChannelParties): ChannelFinder {
  const { relayUrl, terms, payer, state, chain } = parties;
  let opening: Promise<WalletChannel> | undefined;

  const isMine = (channel: WalletChannel) =>
    channel.relayUrl === relayUrl && channel.payer === payer && channel.token === terms.token.address;
  const newest = (saved: WalletState, purpose: Purpose) =>
    saved.channels.findLast((channel) => isMine(channel) && channel.status === purpose);

  async function current(purpose: Purpose = 'open'): Promise<WalletChannel | undefined> {
    const channel = newest(await state.read(), purpose);
    if (channel) pinTerms(terms, channel);
    return channel;
  }

  async function open(request: { deposit: bigint; isAnother: boolean; purpose: Purpose }): Promise<WalletChannel> {
    if (!chain) {
      throw new AutoPayError(
        'invalid_argument',
        'This wallet has no channel with the relay yet. Give rpcUrl, so that it can open one.',
      );
    }
    await mkdir(parties.stateDir, { recursive: true, mode: 0o700 });
    // Held while transactions are under way: two processes that share the folder must not both make a deposit.
    return withLockFile({ file: join(parties.stateDir, 'opening.lock'), waitMs: depositWaitMs }, async () => {
      const known = request.isAnother ? undefined : await current();
      if (known) return known;
      const found = await prepareChannel({ ...parties, chain, ...request });
      if (found.recovered) parties.onWarning(describeRecovery(found, terms));
      if (found.status !== 'open') {
        checkDeposit(found.deposit, { limits: await parties.limits(), token: terms.token });
        await chain.openChannel({
          ...{ token: terms.token, deposit: found.deposit },
          ...{ salt: countedSalt(found.saltIndex), channelId: found.channelId },
        });
      }
      return state.update((saved) => {
        const channel = channelIn(saved, found.channelId);
        channel.status = request.purpose;
        return channel;
      });
    });
  }

  return {
    current: () => current(),
    forKeys: () => current('keys'),
    openForKeys: (deposit) => open({ deposit, isAnother: true, purpose: 'keys' }),
    closed: async () =>
      (await state.read()).channels.filter((channel) => isMine(channel) && channel.status === 'closed'),
    async markClosed(channelId) {
      await state.update((saved) => {
        channelIn(saved, channelId).status = 'closed';
      });
    },
    async ensure({ deposit, isAnother = false }) {
      if (isAnother) return open({ deposit, isAnother, purpose: 'open' });
      const known = await current();
      if (known) return known;
      opening ??= open({ deposit, isAnother, purpose: 'open' }).finally(() => {
        opening = undefined;
      });
      return opening;
    },
  };
}

/** Writes down the channel that will be opened, or finds one that the chain knows and the state does not. */
async function prepareChannel(
  options: ChannelParties & { chain: ChannelChain; deposit: bigint; isAnother: boolean },
): Promise<WalletChannel> {
  const { chain, state, relayUrl, terms, payer } = options;
  const { chainId, escrow, payee, priceOracle, priceBook, keyRegistry } = terms;
  const { address: token, decimals: tokenDecimals } = terms.token;
  const saved = await state.read();
  for (let saltIndex = 0; saltIndex < maxProbes; saltIndex += 1) {
    const identity = {
      payer,
      payee,
      token,
      salt: countedSalt(saltIndex),
      authorizedSigner: zeroAddress,
      escrow,
      chainId,
    };
    const channelId = computeChannelId(identity);
    const remembered = saved.channels.find((channel) => channel.channelId === channelId);
    if (remembered && remembered.status !== 'opening') continue;
    const onChain = await chain.readChannel(channelId);
    // Closing channels take no more calls; and someone who asks for another channel wants a new deposit.
    if (onChain && (onChain.isClosing || (options.isAnother && !remembered))) continue;
    const settled = onChain?.settled ?? 0n;
    const channel: WalletChannel = {
      relayUrl,
      chainId,
      escrow,
      payee,
      ...{ priceOracle, priceBook, keyRegistry },
      ...{ token, tokenDecimals },
      payer,
      saltIndex,
      channelId,
      status: onChain ? 'open' : 'opening',
      deposit: onChain?.deposit ?? options.deposit,
      lastSigned: larger(settled, remembered?.lastSigned),
      spent: larger(settled, remembered?.spent),
      sequence: 0,
      lowerVouchers: remembered?.lowerVouchers ?? 0,
      recovered: onChain !== undefined && remembered === undefined,
    };
    await state.update((latest) => {
      latest.channels = [...latest.channels.filter((other) => other.channelId !== channelId), channel];
    });
    return channel;
  }
  throw new AutoPayError(
    'invalid_configuration',
    `This wallet has ${maxProbes} channels with the relay. Use another wallet key.`,
  );
}

function describeRecovery(channel: WalletChannel, terms: RelayTerms): string {
  return (
    `Found channel ${channel.channelId} on the chain, with a deposit of ${formatAmount(channel.deposit, terms.token)}; its local state was lost. ` +
    'What was signed before is not known here: the relay says how much, within the limit for one call and the deposit.'
  );
}
