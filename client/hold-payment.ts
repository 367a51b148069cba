import type { Hex } from '../protocol/bytes/hex.ts';
import { addHold, dayOf, replaceHold, spentOn, type DayHold } from './day-spending.ts';
import type { TokenUnit } from './token-amount.ts';
import { capCall, type TokenLimits } from './wallet-limits.ts';
import type { WalletStateFile } from './wallet-state.ts';

/** A payment of one call that is to be signed. */
export interface PaymentToHold {
  chainId: number;
  token: TokenUnit & { address: Hex };
  /** Atomic units. */
  amount: bigint;
  limits: TokenLimits;
}

/** Whole tokens that payments of one call may take in a day where the owner sets no limit: no deposit bounds them. */
export const defaultPerDayTokens = 5n;

/**
 * Counts a payment against the day's limit, durably, before it is signed.
 * @throws AutoPayError `wallet_limit_exceeded` if the limits for one call or one day forbid it.
 */
export function holdPayment(state: WalletStateFile, payment: PaymentToHold): Promise<DayHold> {
  const { chainId, token, amount, limits } = payment;
  const perDay = limits.perDay ?? defaultPerDayTokens * 10n ** BigInt(token.decimals);
  return state.update((saved) => {
    const day = { chainId, token: token.address, day: dayOf(Date.now()) };
    capCall({ limits: { ...limits, perDay }, spentToday: spentOn(saved, day), minimum: amount, token });
    const hold = { ...day, amount };
    addHold(saved, hold);
    return hold;
  });
}

/** Signs what was held; what cannot be signed does not stay counted. */
export async function signHeld<T>(state: WalletStateFile, hold: DayHold, sign: () => Promise<T>): Promise<T> {
  try {
    return await sign();
  } catch (error) {
    await state.update((saved) => replaceHold(saved, hold, 0n));
    throw error;
  }
}
