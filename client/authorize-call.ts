import { larger, smaller } from '../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { ChannelManagerOptions } from './channel-manager.ts';
import { addHold, dayOf, spentOn, type DayHold } from './day-spending.ts';
import { decideVoucher, type SpendRequest, type VoucherDecision } from './decide-voucher.ts';
import { signVoucher, type SignedVoucher } from '../protocol/typed-data/sign-voucher.ts';
import type { ChannelFiller } from './top-up-channel.ts';
import { capCall } from './wallet-limits.ts';
import { channelIn, type WalletChannel } from './wallet-state.ts';

/** Leave to spend: a voucher that may now be sent, and what it is meant to cover. Amounts are atomic units. */
export interface SpendTicket {
  voucher: SignedVoucher;
  /** The most that the call may cost. */
  quote: bigint;
  /** How that counts against the day's limit until the charge is known. */
  hold: DayHold;
  /** Call when the call has ended, however it did: its quote then no longer counts as in flight. Repeats do nothing. */
  release(): void;
}

/** Gives leave to spend; see `ChannelManager.authorize`. */
export type Authorizer = (channel: WalletChannel, request: SpendRequest, topUp?: bigint) => Promise<SpendTicket>;

/** Makes what gives leave to spend from a wallet's channels: it alone knows which quotes are in flight in this process. */
export function createAuthorizer(options: ChannelManagerOptions & { topUp: ChannelFiller }): Authorizer {
  const { terms, state, maxCallAmount, topUp } = options;
  const privateKey = parsePrivateKey(options.privateKey);
  const scope = { chainId: terms.chainId, verifyingContract: terms.escrow };
  // Bounded by the number of channels in the state.
  const inFlight = new Map<Hex, bigint>();
  const today = () => ({ chainId: terms.chainId, token: terms.token.address, day: dayOf(Date.now()) });
  const reservedIn = (channelId: Hex) => inFlight.get(channelId) ?? 0n;

  function decide(channel: WalletChannel, request: SpendRequest, most: bigint | undefined): VoucherDecision {
    const reserved = reservedIn(channel.channelId);
    return decideVoucher({ channel, reserved, request, maxCallAmount: most, token: terms.token });
  }

  async function authorize({ channelId }: WalletChannel, request: SpendRequest): Promise<SpendTicket> {
    const limits = await options.limits();
    let held = 0n;
    const release = () => {
      inFlight.set(channelId, reservedIn(channelId) - held);
      held = 0n;
    };
    const update = state.update((saved) => {
      const day = today();
      const spentToday = spentOn(saved, day);
      const cap = capCall({ limits, spentToday, minimum: request.minimum, token: terms.token });
      const channel = channelIn(saved, channelId);
      const decision = decide(channel, request, smallest(maxCallAmount, cap));
      if (decision.isLower) channel.lowerVouchers += 1;
      else channel.lastSigned = decision.cumulativeAmount;
      const hold = { ...day, amount: decision.quote };
      addHold(saved, hold);
      // At once, not after the write: the next decision of the same group counts on it.
      held = decision.quote;
      inFlight.set(channelId, reservedIn(channelId) + held);
      return { ...decision, hold };
    });
    const { cumulativeAmount, quote, hold } = await update.catch((error: unknown) => {
      release();
      throw error;
    });
    return { voucher: signVoucher({ channelId, cumulativeAmount }, { scope, privateKey }), quote, hold, release };
  }

  /** What a channel lacks for a call; at least 1, since a deposit that is signed to the end takes no higher voucher. */
  function lacks(channel: WalletChannel, request: SpendRequest, cost: bigint): bigint {
    const covering = larger(channel.spent + reservedIn(channel.channelId) + cost, request.claims?.requiredCumulative);
    return larger(covering - channel.deposit, 1n);
  }

  async function fill(channel: WalletChannel, request: SpendRequest, size: bigint, perDeposit: bigint): Promise<void> {
    const known = channelIn(await state.read(), channel.channelId);
    const least = lacks(known, request, request.minimum);
    const wanted = larger(size, lacks(known, request, request.quote));
    const amount = larger(smaller(wanted, perDeposit), least);
    const isNeeded = (latest: WalletChannel) => {
      try {
        decide(latest, request, maxCallAmount);
        return false;
      } catch (error) {
        return isOutOfDeposit(error);
      }
    };
    await topUp({ channelId: channel.channelId, amount, least, isNeeded });
  }

  return async (channel, request, size) => {
    try {
      return await authorize(channel, request);
    } catch (error) {
      const { perDeposit } = await options.limits();
      if (!isOutOfDeposit(error) || !options.chain || size === undefined || perDeposit === undefined) throw error;
      await fill(channel, request, size, perDeposit);
      return authorize(channel, request);
    }
  };
}

function isOutOfDeposit(error: unknown): boolean {
  return error instanceof AutoPayError && error.code === 'amount_exceeds_deposit';
}

function smallest(first: bigint | undefined, second: bigint | undefined): bigint | undefined {
  return first === undefined || (second !== undefined && second < first) ? second : first;
}
