import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books } from './open-books.ts';

interface ScopeSum {
  charged: bigint;
  reserved: bigint;
}

/** What keys, projects and payers have spent of their limits is what the calls that name them add up to. */
export function checkScopes(books: Books): Claim {
  const differences = new Differences();
  const sums = sumScopes(books);
  const seen = new Set<string>();
  for (const row of books.rows('SELECT * FROM scope_spending')) {
    const key = JSON.stringify([row.text('scope'), row.number('window'), row.hex('token')]);
    seen.add(key);
    const { charged, reserved } = sums.get(key) ?? { charged: 0n, reserved: 0n };
    const stored = { charged: row.amount('charged'), reserved: row.amount('reserved') };
    differences.require(
      stored.charged === charged && stored.reserved === reserved,
      () =>
        `scope ${key} has ${stored.charged} charged and ${stored.reserved} reserved, and its calls add up to ${charged} and ${reserved}`,
    );
  }
  for (const key of sums.keys()) differences.require(seen.has(key), () => `the calls of scope ${key} count nowhere`);
  return differences.toClaim('scopes_add_up', `${seen.size} spending limits hold what their calls add up to`);
}

function sumScopes(books: Books): Map<string, ScopeSum> {
  const sums = new Map<string, ScopeSum>();
  const calls = books.rows(
    `SELECT calls.scopes, calls.state, calls.quote, charges.amount, coalesce(channels.token, direct_payments.token) AS token
     FROM calls LEFT JOIN charges USING (call_id) LEFT JOIN channels ON channels.channel_id = calls.channel_id
     LEFT JOIN direct_payments ON direct_payments.payment_id = calls.payment_id WHERE calls.scopes IS NOT NULL`,
  );
  for (const row of calls) {
    const state = row.text('state');
    const token: Hex = toHex(row.bytes('token'));
    for (const [scope, window] of JSON.parse(row.text('scopes')) as [string, number][]) {
      const key = JSON.stringify([scope, window, token]);
      const sum = sums.get(key) ?? { charged: 0n, reserved: 0n };
      sums.set(key, sum);
      if (state === 'reserved') sum.reserved += row.amount('quote');
      if (state === 'charged' && !row.isNull('amount')) sum.charged += row.amount('amount');
    }
  }
  return sums;
}
