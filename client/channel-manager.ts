import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decideVoucher, type SpendRequest } from './decide-voucher.ts';
import { createChannelFinder, type ChannelFinder, type ChannelParties } from './find-channel.ts';
import { ReceiptHistory } from './receipt-history.ts';
import { signVoucher, type SignedVoucher } from './sign-voucher.ts';
import { channelIn, type WalletChannel } from './wallet-state.ts';

/** Leave to spend: a voucher that may now be sent, and what it is meant to cover. Amounts are atomic units. */
export interface SpendTicket {
  voucher: SignedVoucher;
  /** The most that the call may cost. */
  quote: bigint;
  /** Call when the call has ended, however it did: its quote then no longer counts as in flight. Repeats do nothing. */
  release(): void;
}

/** The channels of one wallet with one relay. */
export interface ChannelManager extends ChannelFinder {
  readonly payer: Hex;
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

/** How a wallet manages its channels with one relay. */
export interface ChannelManagerOptions extends Omit<ChannelParties, 'payer'> {
  /** 0x-hex of the payer's key. */
  privateKey: Hex;
  /** The most, in atomic units, by which one call may raise what is signed; undefined: the deposit is the only limit. */
  maxCallAmount: bigint | undefined;
}

/** Manages the channels of a wallet with one relay. */
export function createChannelManager(options: ChannelManagerOptions): ChannelManager {
  const { terms, state, maxCallAmount } = options;
  const privateKey = parsePrivateKey(options.privateKey);
  const payer = addressOfPrivateKey(privateKey);
  const scope = { chainId: terms.chainId, verifyingContract: terms.escrow };
  // Bounded by the number of channels in the state.
  const inFlight = new Map<Hex, bigint>();
  const histories = new Map<Hex, ReceiptHistory>();
  const finder = createChannelFinder({ ...options, payer });

  return {
    payer,
    ...finder,
    async authorize({ channelId }, request) {
      let held = 0n;
      const release = () => {
        inFlight.set(channelId, (inFlight.get(channelId) ?? 0n) - held);
        held = 0n;
      };
      const update = state.update((saved) => {
        const channel = channelIn(saved, channelId);
        const reserved = inFlight.get(channelId) ?? 0n;
        const decision = decideVoucher({ channel, reserved, request, maxCallAmount, token: terms.token });
        if (decision.isLower) channel.lowerVouchers += 1;
        else channel.lastSigned = decision.cumulativeAmount;
        // At once, not after the write: the next decision of the same group counts on it.
        held = decision.quote;
        inFlight.set(channelId, reserved + held);
        return decision;
      });
      const { cumulativeAmount, quote } = await update.catch((error: unknown) => {
        release();
        throw error;
      });
      return { voucher: signVoucher({ channelId, cumulativeAmount }, { scope, privateKey }), quote, release };
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
      return maxCallAmount === undefined ? deposit : lastSigned + maxCallAmount;
    },
    history(channelId) {
      const history = histories.get(channelId) ?? new ReceiptHistory();
      histories.set(channelId, history);
      return history;
    },
  };
}

function largest(first: bigint, second: bigint | undefined): bigint {
  return second !== undefined && second > first ? second : first;
}
