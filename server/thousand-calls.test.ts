import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Agent, request } from 'undici';
import { toHex } from '../protocol/bytes/hex.ts';
import { createSimulator } from '../simulator/create-simulator.ts';
import { makeRoute, token, wideBudgets } from './call/call-fixtures.ts';
import { plainRoute } from './call/routing-terms.ts';
import type { Route } from './call/types.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { createTransport } from './providers/openai-compatible.ts';
import { startToyRelay } from './toy-relay-fixture.ts';

/*
 * A budget under a thousand calls at once: on real books, over HTTP, with the real transport and the simulated provider, whose barriers
 * hold the calls in flight.
 */

const callCount = 1_000;
const coveredCount = 100;
const timeouts = { connectTimeoutMs: 60_000, headersTimeoutMs: 120_000, idleTimeoutMs: 120_000 };
const client = new Agent({ headersTimeout: 120_000, connect: { timeout: 60_000 } });
const closers: (() => Promise<unknown> | void)[] = [];
let dataDir: string;

beforeEach(() => {
  const folder = temporaryFolder();
  dataDir = folder.dataDir;
  closers.push(folder.remove);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const body = JSON.stringify({
  ...{ model: 'asked', messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 100 },
});
/** Bytes, overhead and output at the prices of the fixture. */
const quote = BigInt(Buffer.byteLength(body) + 64 + 2 * 100);
/** The last one that is let through leaves less than another. */
const limitAgpt = BigInt(coveredCount) * quote + quote - 1n;

function route(model: string, upstream: string, general: string[] = []): Route {
  const prices = (makeRoute().prices ?? []).filter((row) => row.token === token).map((row) => ({ ...row, model }));
  const deployments = [{ id: `${model}@sim`, provider: 'sim', model: upstream }];
  return makeRoute({
    model,
    prices,
    deployments,
    terms: { ...plainRoute, fallbacks: { ...plainRoute.fallbacks, general } },
  });
}

/** Sends all calls at once; what was let through is held until every other one was told. */
async function sendAll(routes: (limited: { told: string }) => { routes: Route[]; limited: string }) {
  const simulator = createSimulator({ barrierTimeoutMs: 120_000 });
  const simulatorUrl = await simulator.listen(0);
  closers.push(() => simulator.close());
  const providers = [{ name: 'sim', baseUrl: `${simulatorUrl}/v1` }];
  const upstream = createTransport({ providers, ...timeouts, maxConnections: 2 * callCount });
  closers.push(() => upstream.close());
  // One more than may come: the test itself, once all others were told.
  const told = `sim-told?barrier=told:${coveredCount + 1}&tokens=5`;
  const { limited, ...sold } = routes({ told });
  const payer = toHex(randomBytes(20));
  const bank = new ToyBank();
  bank.balances.set(payer, 10n ** 12n);
  const relay = await startToyRelay({
    ...{ dataDir, bank, upstream, ...sold, limits: { callTimeoutMs: 120_000, idleTimeoutMs: 120_000 } },
    budgets: { terms: (what) => ({ ...wideBudgets.terms(what), ...(what.model === limited && { limitAgpt }) }) },
  });
  closers.push(() => relay.kill());
  let refused = 0;
  const statuses = await Promise.all(
    Array.from({ length: callCount }, async (_, nonce) => {
      const headers = { 'content-type': 'application/json', ...payByToy(payer, nonce, 1_000_000n) };
      const url = `${relay.url}/v1/chat/completions`;
      const response = await request(url, { method: 'POST', headers, body, dispatcher: client });
      await response.body.dump();
      if (response.statusCode !== 200) refused += 1;
      if (response.statusCode !== 200 && refused === callCount - coveredCount) {
        const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
        const release = JSON.stringify({ model: told, messages: [{ role: 'user', content: 'Go' }] });
        await fetch(`${simulatorUrl}/v1/chat/completions`, { ...init, body: release });
      }
      return response.statusCode;
    }),
  );
  const receipts = await relay.ledger.listEntries({ from: 0, limit: callCount });
  return { statuses, receipts: receipts.length, taken: bank.taken.size };
}

const count = (statuses: readonly number[], status: number) => statuses.filter((one) => one === status).length;

test('of 1,000 calls at once exactly 100 get what the budget of their model covers', { timeout: 240_000 }, async () => {
  const { receipts, statuses, taken } = await sendAll(({ told }) => ({
    routes: [route('asked', told)],
    limited: 'asked',
  }));
  expect([count(statuses, 200), count(statuses, 429)]).toEqual([coveredCount, callCount - coveredCount]);
  expect([receipts, taken]).toEqual([coveredCount, coveredCount]);
});

test(
  'of 1,000 calls that are all held in flight, and then fall back at once, exactly 100 get what the other model may spend',
  {
    timeout: 240_000,
  },
  async () => {
    const { receipts, statuses, taken } = await sendAll(({ told }) => ({
      // None is answered before the last has arrived.
      routes: [route('asked', `sim-all?barrier=all:${callCount}&fault=status:500`, ['other']), route('other', told)],
      limited: 'other',
    }));
    expect([count(statuses, 200), count(statuses, 500)]).toEqual([coveredCount, callCount - coveredCount]);
    expect([receipts, taken]).toEqual([coveredCount, coveredCount]);
  },
);
