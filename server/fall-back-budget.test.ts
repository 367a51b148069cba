import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex } from '../protocol/bytes/hex.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { completion, makeResponse, makeRoute, token, wideBudgets } from './call/call-fixtures.ts';
import { plainRoute } from './call/routing-terms.ts';
import type { Route } from './call/types.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { startToyRelay, ToyUpstream, type ToyRelay } from './toy-relay-fixture.ts';

/*
 * Each attempt checks its own model's budget: calls whose model fails all at once fall back to one whose budget covers only some of
 * them. On real books, over HTTP.
 */

let relay: ToyRelay | undefined;
let removeFolder: () => void;
let dataDir: string;
beforeEach(() => {
  ({ dataDir, remove: removeFolder } = temporaryFolder());
});
afterEach(async () => {
  await relay?.kill();
  removeFolder();
});

const callCount = 60;
const coveredCount = 10;
const body = JSON.stringify({
  ...{ model: 'first', messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 100 },
});
/** Of the second, which costs three times as much: the dearest, so it is what each call holds. */
const quote = 3n * BigInt(Buffer.byteLength(body) + 64 + 2 * 100);

function route(model: string, price: bigint, general: string[]): Route {
  const prices = (makeRoute().prices ?? [])
    .filter((row) => row.token === token)
    .map((row) => ({ ...row, model, prompt: row.prompt * price, completion: row.completion * price }));
  const deployments = [{ id: `${model}@x`, provider: model, model }];
  const terms = { ...plainRoute, fallbacks: { ...plainRoute.fallbacks, general } };
  return makeRoute({ model, prices, deployments, terms });
}

test('of 60 calls that fall back at once exactly 10 get what the other model may spend', async () => {
  const payer = toHex(randomBytes(20));
  const bank = new ToyBank();
  bank.balances.set(payer, 10n ** 9n);
  const allFailed = Promise.withResolvers<void>();
  const allTold = Promise.withResolvers<void>();
  const arrived: Record<string, number> = { first: 0, second: 0 };
  const upstream = new ToyUpstream(async ({ deployment: { model } }) => {
    arrived[model] = (arrived[model] ?? 0) + 1;
    if (model === 'first') {
      if (arrived['first'] === callCount) allFailed.resolve();
      await allFailed.promise;
      return makeResponse(['{}'], { status: 500 });
    }
    // A charge frees what it does not cost: nothing is charged before every call has asked.
    await allTold.promise;
    return makeResponse([JSON.stringify(completion)]);
  });
  const limitAgpt = BigInt(coveredCount) * quote + quote - 1n;
  relay = await startToyRelay({
    ...{ dataDir, bank, upstream, routes: [route('first', 1n, ['second']), route('second', 3n, [])] },
    budgets: {
      terms: (what) => ({ ...wideBudgets.terms(what), ...(what.model === 'second' && { limitAgpt }) }),
    },
  });
  const { ledger, url } = relay;

  let toldCount = 0;
  const calls = Array.from({ length: callCount }, async (_, nonce) => {
    const headers = { 'content-type': 'application/json', ...payByToy(payer, nonce, 1_000_000n) };
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    if (!response.ok) {
      toldCount += 1;
      if (toldCount === callCount - coveredCount) allTold.resolve();
    }
    return { status: response.status, callId: response.headers.get('x-autopay-call-id') ?? '' };
  });
  const ended = await Promise.all(calls);

  const answered = ended.filter(({ status }) => status === 200);
  expect(answered).toHaveLength(coveredCount);
  expect(ended.filter(({ status }) => status === 500)).toHaveLength(callCount - coveredCount);
  expect(arrived).toEqual({ first: callCount, second: coveredCount });
  for (const { callId, status } of ended) {
    const signed = await ledger.getSignedReceipt(callId);
    if (status !== 200) expect(signed).toBeUndefined();
    // 10 prompt and 5 completion tokens, at the price of the model that answered.
    else expect(signed && decodeReceipt(signed.entry)).toMatchObject({ modelAsked: 'second', amount: 60n });
  }
  expect(bank.balances.get(payer)).toBe(10n ** 9n - 60n * BigInt(coveredCount));
});
