import { larger } from '../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { createAuthorizer, type Authorizer } from './authorize-call.ts';
import { dayOf, replaceHold, spentOn, type DayHold } from './day-spending.ts';
import { createChannelFinder, type ChannelFinder, type ChannelParties } from './find-channel.ts';
import { ReceiptHistory } from '../protocol/receipt/receipt-history.ts';
import { signVoucher, type SignedVoucher } from '../protocol/typed-data/sign-voucher.ts';
import { createChannelFiller, type ChannelFiller } from './top-up-channel.ts';
import { capCall, type TokenLimits } from './wallet-limits.ts';
import { channelIn } from './wallet-state.ts';

/** The channels of one wallet with one relay. */
export interface ChannelManager extends ChannelFinder {
  readonly payer: Hex;
  /**
   * Signs the next voucher. Its amount, and the quote as spent today, are durable before it is handed out. A channel whose deposit
   * does not suffice is topped up once where the owner has set a limit for one deposit.
   * @param topUp how much to put into the channel then, in atomic units; never above the limit.
   * @throws AutoPayError what `decideVoucher` throws, `wallet_limit_exceeded`, or what topping up throws.
   */
  authorize: Authorizer;
  /** @throws AutoPayError `wallet_limit_exceeded` if the owner's limits forbid a call that costs at least so much, atomic units. */
  requireWithinLimits(minimum: bigint): Promise<void>;
  /** Takes a verified receipt into the books, and its charge in place of the quote into the day's; a repeated one changes nothing. */
  record(receipt: CallReceipt, hold?: DayHold): Promise<void>;
  /** The call was refused, failed, or was charged before: its quote no longer counts as spent today. */
  dropHold(hold: DayHold): Promise<void>;
  /** What calls in the wallet's token have cost this day (UTC), with what those under way may cost; atomic units. */
  spentToday(): Promise<bigint>;
  /** The owner's limits, in atomic units of the wallet's token. */
  limits(): Promise<TokenLimits>;
  topUp: ChannelFiller;
  /**
   * Puts money into the channel of the API keys, which is opened with the first, and signs a voucher over all of it: what is posted
   * again after a crash gives away nothing more.
   * @throws AutoPayError `wallet_limit_exceeded`, or what opening and topping up throw.
   */
  fundKeys(amount: bigint): Promise<SignedVoucher>;
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
  const histories = new Map<Hex, ReceiptHistory>();
  const finder = createChannelFinder({ ...options, payer });
  const topUp = createChannelFiller({ ...options, payer });
  const spender = { chainId: terms.chainId, token: terms.token.address };
  const today = () => ({ ...spender, day: dayOf(Date.now()) });
  return {
    payer,
    ...finder,
    topUp,
    async fundKeys(amount) {
      const known = await finder.forKeys();
      const { channelId } = known
        ? await topUp({ channelId: known.channelId, amount, least: amount, isNeeded: () => true })
        : await finder.openForKeys(amount);
      const cumulativeAmount = await state.update((saved) => {
        const channel = channelIn(saved, channelId);
        channel.lastSigned = channel.deposit;
        return channel.deposit;
      });
      return signVoucher({ channelId, cumulativeAmount }, { scope, privateKey });
    },
    limits: () => options.limits(),
    authorize: createAuthorizer({ ...options, topUp }),
    async requireWithinLimits(minimum) {
      const limits = await options.limits();
      if (limits.perCall === undefined && limits.perDay === undefined) return;
      capCall({ limits, spentToday: spentOn(await state.read(), today()), minimum, token: terms.token });
    },
    spentToday: async () => spentOn(await state.read(), today()),
    async dropHold(hold) {
      await state.update((saved) => replaceHold(saved, hold, 0n));
    },
    async record(receipt, hold) {
      await state.update((saved) => {
        if (hold) replaceHold(saved, hold, receipt.amount);
        const channel = channelIn(saved, receipt.channelId);
        if (receipt.sequence <= channel.sequence || receipt.runningTotal < channel.spent) return;
        channel.sequence = receipt.sequence;
        channel.spent = receipt.runningTotal;
        // In a recovered channel the receipt is the first to say what was signed before.
        channel.lastSigned = larger(channel.lastSigned, receipt.runningTotal);
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
