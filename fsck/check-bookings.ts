import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { keccak256 } from '../protocol/bytes/keccak256.ts';
import { blockRanges } from './chain-reader.ts';
import type { ChainCheck } from './check-chain.ts';
import { arrivesUnbooked, isUnsettled, type PaymentRow } from './check-payments.ts';
import { Differences, type Claim } from './claims.ts';
import { spendKey } from './scan-charges.ts';

/** Amounts by `spendKey` with the chain's identifiers, or by wallet. */
type Sums = Map<string, bigint>;

/** What AutoPayLLM has booked in one token. */
interface Booked {
  spends: Sums;
  /** What went back, by wallet. */
  refunds: Sums;
}

/** What the chain must show of one token, by the books: what is certain, and what may be there already. */
interface Expected {
  booked: Booked;
  pending: Booked;
  /** What direct payments have brought in, by wallet. */
  paid: Sums;
  maybePaid: Sums;
  /** What has arrived, by collections and payments. */
  arrived: bigint;
  /** What may have arrived beyond that. */
  underWay: bigint;
}

function add(sums: Sums, key: string, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}

function sumOf(sums: Sums): bigint {
  return [...sums.values()].reduce((sum, amount) => sum + amount, 0n);
}

function nothingBooked(): Booked {
  return { spends: new Map(), refunds: new Map() };
}

/**
 * What AutoPayLLM has booked is what the charges of the booked collections were for, what it gave back is what payments at a
 * fixed price brought in beyond their charges, wallet by wallet, and the rest waits there, unbooked.
 */
export async function checkBookings(check: ChainCheck): Promise<Claim> {
  const { settings, collections, payments } = check;
  const differences = new Differences();
  const booked = await readBooked(check);
  const tokens = new Set([...settings.tokens.map(({ address }) => address), ...booked.keys()]);
  for (const { token } of [...collections.collections, ...payments]) tokens.add(token);
  const details: string[] = [];
  for (const token of tokens) {
    const onChain = booked.get(token) ?? nothingBooked();
    details.push(await checkBookingsOf(check, { token, onChain, differences }));
  }
  return differences.toClaim(
    'bookings_match',
    `AutoPayLLM has booked ${details.join(', ')}, by day, model and provider as the receipts say, and given back what they owe`,
  );
}

async function checkBookingsOf(
  check: ChainCheck,
  { token, onChain, differences }: { token: Hex; onChain: Booked; differences: Differences },
): Promise<string> {
  const expected = expectOf(check, token);
  for (const what of ['spends', 'refunds'] as const) {
    for (const [key, stored, byBooks, most] of compare(onChain[what], expected.booked[what], expected.pending[what])) {
      // A booking that is on its way to the ledger may be on the chain already.
      const isPending = stored > byBooks && stored <= most;
      const verb = what === 'spends' ? 'booked to' : 'given back to';
      differences.require(
        stored === byBooks || isPending,
        () => `${stored} of ${token} is ${verb} ${key} on the chain, and ${byBooks} by the books`,
      );
    }
  }
  await checkPayers(check, { token, onChain, expected, differences });
  const contract = { address: check.settings.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const unbooked = await check.client.readContract({ ...contract, functionName: 'unbooked', args: [token] });
  // Conservation: what has arrived is booked, has gone back, or waits. What is under way may have landed already.
  const [spent, refunded] = [sumOf(onChain.spends), sumOf(onChain.refunds)];
  const landed = unbooked + spent + refunded - expected.arrived;
  differences.require(
    landed >= 0n && landed <= expected.underWay,
    () =>
      `${unbooked} of ${token} waits to be booked on the chain, and ${expected.arrived - spent - refunded} by the books`,
  );
  return `${spent} of ${token} (${refunded} given back, ${unbooked} waits)`;
}

/** What a wallet paid is what went back to it and what still might. */
async function checkPayers(
  { client, settings }: ChainCheck,
  parts: { token: Hex; onChain: Booked; expected: Expected; differences: Differences },
): Promise<void> {
  const { token, onChain, expected, differences } = parts;
  const contract = { address: settings.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  for (const payer of new Set([...expected.paid.keys(), ...expected.maybePaid.keys()])) {
    const args = [token, payer as Hex] as const;
    const refundable = await client.readContract({ ...contract, functionName: 'refundableOf', args });
    const paid = refundable + (onChain.refunds.get(payer) ?? 0n);
    const byBooks = expected.paid.get(payer) ?? 0n;
    const most = byBooks + (expected.maybePaid.get(payer) ?? 0n);
    differences.require(
      paid >= byBooks && paid <= most,
      () => `wallet ${payer} has paid ${paid} of ${token} on the chain, and ${byBooks} by the books`,
    );
  }
}

function* compare(onChain: Sums, certain: Sums, pending: Sums): Iterable<[string, bigint, bigint, bigint]> {
  for (const key of new Set([...certain.keys(), ...onChain.keys()])) {
    const byBooks = certain.get(key) ?? 0n;
    yield [key, onChain.get(key) ?? 0n, byBooks, byBooks + (pending.get(key) ?? 0n)];
  }
}

function expectOf({ collections, payments, facts }: ChainCheck, token: Hex): Expected {
  const expected: Expected = {
    ...{ booked: nothingBooked(), pending: nothingBooked(), paid: new Map(), maybePaid: new Map() },
    ...{ arrived: 0n, underWay: 0n },
  };
  const states = new Map<number, string>();
  for (const { id, state, source } of collections.collections.filter((collection) => collection.token === token)) {
    states.set(id, state);
    for (const [key, amount] of facts.spends.get(id) ?? []) {
      if (state === 'open') expected.underWay += amount;
      if (state !== 'booked' && state !== 'collected') continue;
      add(state === 'booked' ? expected.booked.spends : expected.pending.spends, hashSpendKey(key), amount);
      if (source === 'channels') expected.arrived += amount;
    }
  }
  for (const payment of payments) {
    if (payment.token === token && arrivesUnbooked(payment)) expectPayment(expected, payment, states);
  }
  return expected;
}

function expectPayment(expected: Expected, payment: PaymentRow, states: ReadonlyMap<number, string>): void {
  const { payer, captured, charge, collectionId } = payment;
  if (isUnsettled(payment)) {
    expected.underWay += captured;
    add(expected.maybePaid, payer, captured);
    return;
  }
  expected.arrived += captured;
  add(expected.paid, payer, captured);
  if (collectionId === null || captured === charge) return;
  const booked = states.get(collectionId) === 'booked' ? expected.booked : expected.pending;
  add(booked.refunds, payer, captured - charge);
}

/** What the Booked and Refunded events say, by token. */
async function readBooked({ client, settings }: ChainCheck): Promise<Map<Hex, Booked>> {
  const byToken = new Map<Hex, Booked>();
  const of = (address: Hex): Booked => {
    const token = address.toLowerCase() as Hex;
    const known = byToken.get(token) ?? nothingBooked();
    byToken.set(token, known);
    return known;
  };
  const source = { address: settings.contracts.autoPayLLM, abi: autoPayLlmAbi, strict: true } as const;
  for (const range of await blockRanges(client, BigInt(settings.deployedAtBlock))) {
    for (const { args } of await client.getContractEvents({ ...source, ...range, eventName: 'Booked' })) {
      for (const spend of args.spends) add(of(args.token).spends, spendKey(spend), spend.amount);
    }
    for (const { args } of await client.getContractEvents({ ...source, ...range, eventName: 'Refunded' }))
      add(of(args.token).refunds, args.to.toLowerCase(), args.amount);
  }
  return byToken;
}

/** The key of the same spend with the chain's identifiers instead of names. */
function hashSpendKey(key: string): string {
  const [day, model, provider] = JSON.parse(key) as [number, string, string];
  const idOf = (name: string) => toHex(keccak256(Buffer.from(name, 'utf8')));
  return spendKey({ day, model: idOf(model), provider: idOf(provider) });
}
