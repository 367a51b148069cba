import type { SpendSum } from '../ledger/background-ledger.ts';

/** As many of the spends, in their order, as come to `room` at most, atomic units; the last one may be a part of a spend. */
export function takeSpends(spends: readonly SpendSum[], room: bigint): SpendSum[] {
  const taken: SpendSum[] = [];
  let left = room;
  for (const spend of spends) {
    if (left <= 0n) break;
    const amount = spend.amount < left ? spend.amount : left;
    taken.push({ ...spend, amount });
    left -= amount;
  }
  return taken;
}

/** What is left of the spends without those that `taken` names by day, model and provider, in their order. */
export function subtractSpends(spends: readonly SpendSum[], taken: readonly SpendSum[]): SpendSum[] {
  const gone = new Map<string, bigint>();
  for (const spend of taken) gone.set(keyOf(spend), (gone.get(keyOf(spend)) ?? 0n) + spend.amount);
  return spends
    .map((spend) => ({ ...spend, amount: spend.amount - (gone.get(keyOf(spend)) ?? 0n) }))
    .filter((spend) => spend.amount > 0n);
}

function keyOf({ day, model, provider }: SpendSum): string {
  return JSON.stringify([day, model, provider]);
}
