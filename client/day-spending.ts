import type { Hex } from '../protocol/bytes/hex.ts';
import type { WalletState } from './wallet-state.ts';

interface SpentToken {
  chainId: number;
  token: Hex;
}

/** What a call may cost, counted for its day as if it did until its charge is known. */
export interface DayHold extends SpentToken {
  /** Of the day on which it was signed, such as `2026-11-21`, in UTC. */
  day: string;
  /** Atomic units. */
  amount: bigint;
}

/** The day in UTC, such as `2026-11-21`. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** What the calls of a day have cost, with what those under way may cost; atomic units. */
export function spentOn(
  state: Pick<WalletState, 'spending'>,
  { chainId, token, day }: Omit<DayHold, 'amount'>,
): bigint {
  return state.spending.find((entry) => isOf(entry, { chainId, token, day }))?.amount ?? 0n;
}

/** Counts a call's quote; days before are forgotten. */
export function addHold(state: Pick<WalletState, 'spending'>, hold: DayHold): void {
  state.spending = state.spending.filter(({ day }) => day >= hold.day);
  const entry = state.spending.find((one) => isOf(one, hold));
  if (entry) entry.amount += hold.amount;
  else state.spending.push({ chainId: hold.chainId, token: hold.token, day: hold.day, amount: hold.amount });
}

/** Counts what a call did cost in place of its quote. A call whose outcome stays unknown keeps its quote counted. */
export function replaceHold(state: Pick<WalletState, 'spending'>, hold: DayHold, charged: bigint): void {
  const entry = state.spending.find((one) => isOf(one, hold));
  if (entry) entry.amount += charged - hold.amount;
}

function isOf(entry: Omit<DayHold, 'amount'>, wanted: Omit<DayHold, 'amount'>): boolean {
  return entry.chainId === wanted.chainId && entry.token === wanted.token && entry.day === wanted.day;
}
