import type { RequestHandler } from 'express';
import { headroomSchema } from '../../keys/key-schemas.ts';
import { listPayerSpending, spendingQuerySchema, type SpendingDeps } from '../../keys/list-spending.ts';
import { postHeadroom, type PostHeadroomDeps } from '../../keys/post-headroom.ts';
import { describeBalance, readBalances, type BalanceDeps } from '../../keys/read-balance.ts';
import type { AllowanceReader } from '../../payments/key/allowance-reader.ts';
import { readQuery, type JsonReader } from './read-json.ts';
import { readPrincipal, type PrincipalDeps } from './read-principal.ts';

/** What the routes of money need. */
export interface BalanceRoutesDeps extends PrincipalDeps, BalanceDeps, PostHeadroomDeps, SpendingDeps {
  ledger: BalanceDeps['ledger'] & PostHeadroomDeps['ledger'] & SpendingDeps['ledger'];
  cache: PrincipalDeps['cache'] & PostHeadroomDeps['cache'];
  /** Undefined where calls cannot be paid in AGPT. */
  allowances: Pick<AllowanceReader, 'read'> | undefined;
  json: JsonReader;
}

/** `POST /v1/keys/headroom`: a voucher for what the keys of a payer may spend. */
export function createHeadroomHandler(deps: BalanceRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { payer } = await readPrincipal(request, deps);
    const voucher = await deps.json.read(request, headroomSchema);
    const { channelId } = await postHeadroom(deps, { voucher, payer });
    const balance = (await readBalances(deps, payer)).find(({ channel }) => channel.channelId === channelId);
    response.json(balance ? describeBalance(balance) : { channelId });
  };
}

/** `GET /v1/balance`: what keys may spend, and what comes back when a channel is closed. */
export function createBalanceHandler(deps: BalanceRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { payer } = await readPrincipal(request, deps);
    const [balances, allowance] = await Promise.all([readBalances(deps, payer), deps.allowances?.read(payer) ?? null]);
    response.setHeader('cache-control', 'no-store').json({
      payer,
      channels: balances.map(describeBalance),
      allowance: allowance && {
        available: String(allowance.available),
        allowance: String(allowance.allowance),
        balance: String(allowance.balance),
        leftToday: String(allowance.leftToday),
      },
    });
  };
}

/** `GET /v1/spending?group_by=day,model,key,project&since=&until=&key_id=`; a key that does not manage sees its own. */
export function createSpendingHandler(deps: BalanceRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { key, payer } = await readPrincipal(request, deps);
    const query = readQuery(request, spendingQuerySchema);
    const limited = key && !key.manages ? { ...query, key_id: key.keyId } : query;
    const data = await listPayerSpending(deps, { payer, query: limited });
    response.setHeader('cache-control', 'no-store').json({ object: 'list', data });
  };
}
