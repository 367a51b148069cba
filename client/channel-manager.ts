import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { computeChannelId } from '../protocol/typed-data/channel-id.ts';
import { decideVoucher, type SpendRequest } from './decide-voucher.ts';
import { pinTerms, type RelayTerms } from './fetch-relay-terms.ts';
import type { WalletChain } from './open-channel.ts';
import { ReceiptHistory } from './receipt-history.ts';
import { signVoucher, type SignedVoucher } from './sign-voucher.ts';
import { formatAmount } from './token-amount.ts';
import type { WalletChannel, WalletState, WalletStateFile } from './wallet-state.ts';
import { withLockFile } from './with-lock-file.ts';

/** Opening takes three transactions at most, each waited for. */
const openWaitMs = 600_000;
/** How many numbers are looked up on the chain when searching for a channel; nobody loses more channels than that. */
const maxProbes = 64;

/** Leave to spend: a voucher that may now be sent, and what it is meant to cover. Amounts are atomic units. */
export interface SpendTicket {
  voucher: SignedVoucher;
  /** The most that the call may cost. */
  quote: bigint;
  /** Call once when the call has ended, however it did: its quote then no longer counts as in flight. */
  release(): void;
}

/** The channels of one wallet with one relay. */
export interface ChannelManager {
  readonly payer: Hex;
  /** The channel in use, or undefined. */
  current(): Promise<WalletChannel | undefined>;
  /**
   * The channel in use; on first use it is opened, with `deposit` atomic units, or found again on the chain.
   * @param options.isAnother open a further channel even if there is one.
   * @throws AutoPayError `invalid_argument` if one must be opened and no chain is known; what `WalletChain` throws.
   */
  ensure(options: { deposit: bigint; isAnother?: boolean }): Promise<WalletChannel>;
  /**
   * Signs the next voucher. Its amount is durable before it is handed out.
   * @throws AutoPayError what `decideVoucher` throws.
   */
  authorize(channel: WalletChannel, request: SpendRequest): Promise<SpendTicket>;
  /** Takes a verified receipt into the books. */
  record(receipt: CallReceipt): Promise<void>;
  history(channelId: Hex): ReceiptHistory;
  /**
   * The most that can have been charged to a channel, in atomic units: the highest voucher. For a channel found again on the
   * chain that is not known; there, one call's limit more (or the deposit, without a limit) is believed.
   */
  mostChargeable(channelId: Hex): Promise<bigint>;
}

/**
 * Manages the channels of a wallet with one relay.
 * @param options.chain undefined: no channel can be opened or found, only one that the state knows can be used.
 * @param options.maxCallAmount the most, in atomic units, by which one call may raise what is signed.
 */
export function createChannelManager(options: {
  relayUrl: string;
  terms: RelayTerms;
  state: WalletStateFile;
  stateDir: string;
  privateKey: Hex;
  chain: WalletChain | undefined;
  maxCallAmount: bigint | undefined;
  onWarning: (message: string) => void;
}): ChannelManager {
  const { relayUrl, terms, state, chain } = options;
  const privateKey = parsePrivateKey(options.privateKey);
  const payer = addressOfPrivateKey(privateKey);
  const scope = { chainId: terms.chainId, verifyingContract: terms.escrow };
  // Bounded by the number of channels in the state.
  const inFlight = new Map<Hex, bigint>();
  const histories = new Map<Hex, ReceiptHistory>();
  let opening: Promise<WalletChannel> | undefined;

  const isMine = (channel: WalletChannel) => channel.relayUrl === relayUrl && channel.payer === payer;
  const newestOpen = (saved: WalletState) =>
    saved.channels.findLast((channel) => isMine(channel) && channel.status === 'open');

  async function current(): Promise<WalletChannel | undefined> {
    const channel = newestOpen(await state.read());
    if (channel) pinTerms(terms, channel);
    return channel;
  }

  async function open(request: { deposit: bigint; isAnother: boolean }): Promise<WalletChannel> {
    if (!chain) {
      throw new AutoPayError(
        'invalid_argument',
        'This wallet has no channel with the relay yet. Give rpcUrl, so that it can open one.',
      );
    }
    await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
    // Held while transactions are under way: two processes that share the folder must not both make a deposit.
    return withLockFile({ file: join(options.stateDir, 'opening.lock'), waitMs: openWaitMs }, async () => {
      const known = request.isAnother ? undefined : await current();
      if (known) return known;
      const found = await prepareChannel({ chain, state, relayUrl, terms, payer, ...request });
      if (found.recovered) options.onWarning(describeRecovery(found, terms));
      if (found.status === 'open') return found;
      await chain.openChannel({ deposit: found.deposit, salt: saltOf(found.saltIndex), channelId: found.channelId });
      return state.update((saved) => {
        const channel = channelIn(saved, found.channelId);
        channel.status = 'open';
        return channel;
      });
    });
  }

  return {
    payer,
    current,
    async ensure({ deposit, isAnother = false }) {
      if (isAnother) return open({ deposit, isAnother });
      const known = await current();
      if (known) return known;
      opening ??= open({ deposit, isAnother }).finally(() => {
        opening = undefined;
      });
      return opening;
    },
    async authorize({ channelId }, request) {
      const decided = await state.update((saved) => {
        const channel = channelIn(saved, channelId);
        const reserved = inFlight.get(channelId) ?? 0n;
        const decision = decideVoucher({
          channel,
          reserved,
          request,
          maxCallAmount: options.maxCallAmount,
          token: terms.token,
        });
        if (decision.isLower) channel.lowerVouchers += 1;
        else channel.lastSigned = decision.cumulativeAmount;
        inFlight.set(channelId, reserved + decision.quote);
        return decision;
      });
      let isReleased = false;
      return {
        voucher: signVoucher({ channelId, cumulativeAmount: decided.cumulativeAmount }, { scope, privateKey }),
        quote: decided.quote,
        release() {
          if (isReleased) return;
          isReleased = true;
          inFlight.set(channelId, (inFlight.get(channelId) ?? 0n) - decided.quote);
        },
      };
    },
    async record(receipt) {
      await state.update((saved) => {
        const channel = channelIn(saved, receipt.channelId);
        if (receipt.sequence <= channel.sequence || receipt.runningTotal < channel.spent) return;
        channel.sequence = receipt.sequence;
        channel.spent = receipt.runningTotal;
        // In a recovered channel the receipt is the first to say what was signed before.
        channel.lastSigned = largest(channel.lastSigned, receipt.runningTotal);
        channel.recovered = false;
      });
    },
    async mostChargeable(channelId) {
      const { recovered, lastSigned, deposit } = channelIn(await state.read(), channelId);
      if (!recovered) return lastSigned;
      return options.maxCallAmount === undefined ? deposit : lastSigned + options.maxCallAmount;
    },
    history(channelId) {
      const history = histories.get(channelId) ?? new ReceiptHistory();
      histories.set(channelId, history);
      return history;
    },
  };
}

/** Writes down the channel that will be opened, or finds one that the chain knows and the state does not. */
async function prepareChannel(options: {
  chain: WalletChain;
  state: WalletStateFile;
  relayUrl: string;
  terms: RelayTerms;
  payer: Hex;
  deposit: bigint;
  isAnother: boolean;
}): Promise<WalletChannel> {
  const { chain, state, relayUrl, terms, payer } = options;
  const { chainId, escrow, payee } = terms;
  const token = terms.token.address;
  const saved = await state.read();
  for (let saltIndex = 0; saltIndex < maxProbes; saltIndex += 1) {
    const identity = { payer, payee, token, salt: saltOf(saltIndex), authorizedSigner: zeroAddress, escrow, chainId };
    const channelId = computeChannelId(identity);
    const remembered = saved.channels.find((channel) => channel.channelId === channelId);
    if (remembered?.status === 'open') continue;
    const onChain = await chain.readChannel(channelId);
    // Closing channels take no more calls; and someone who asks for another channel wants a new deposit.
    if (onChain && (onChain.isClosing || (options.isAnother && !remembered))) continue;
    const settled = onChain?.settled ?? 0n;
    const channel: WalletChannel = {
      relayUrl,
      chainId,
      escrow,
      payee,
      token,
      payer,
      saltIndex,
      channelId,
      status: onChain ? 'open' : 'opening',
      deposit: onChain?.deposit ?? options.deposit,
      lastSigned: largest(settled, remembered?.lastSigned),
      spent: largest(settled, remembered?.spent),
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

/**
 * Salts are counted, not random: whoever has the key can then find the channels again after the state is lost. The payer
 * is part of a channel's id, so nobody else can occupy them.
 */
function saltOf(saltIndex: number): Hex {
  return toHex(createHash('sha256').update(`autopay-channel-salt-v1:${saltIndex}`).digest());
}

function channelIn(saved: WalletState, channelId: Hex): WalletChannel {
  const channel = saved.channels.find((candidate) => candidate.channelId === channelId);
  if (!channel) {
    throw new AutoPayError(
      'invalid_configuration',
      `Channel ${channelId} is gone from the wallet's state. Start again: it is found on the chain.`,
    );
  }
  return channel;
}

function largest(first: bigint, second: bigint | undefined): bigint {
  return second !== undefined && second > first ? second : first;
}
