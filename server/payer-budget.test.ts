import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { completion, makeResponse, makeRoute, token } from './call/call-fixtures.ts';
import { createPayerScope } from './create-payer-scope.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { startToyRelay, ToyUpstream, type ToyRelay } from './toy-relay-fixture.ts';

/* What one wallet may spend, by calls that are all under way at once, at two processes that share the books. */

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
  ...{ model: 'small', messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 100 },
});
const quote = BigInt(Buffer.byteLength(body) + 64 + 2 * 100);

test('of 60 calls of one payer at once exactly 10 get what it may spend; another payer is not concerned', async () => {
  const [payer, other] = [toHex(randomBytes(20)), toHex(randomBytes(20))];
  const bank = new ToyBank();
  for (const one of [payer, other]) bank.balances.set(one, 10n ** 9n);
  // A charge frees what it does not cost: nothing is charged before every call has asked.
  const allTold = Promise.withResolvers<void>();
  const upstream = new ToyUpstream(async () => {
    await allTold.promise;
    return makeResponse([JSON.stringify(completion)]);
  });
  const payerBudget = BigInt(coveredCount) * quote + quote - 1n;
  relay = await startToyRelay({
    ...{ dataDir, bank, upstream, routes: [makeRoute()] },
    payerScope: createPayerScope({
      payment: { payerBudget: { amount: '1', period: '520w' } },
      tokens: [{ address: token, payerBudget }],
    }),
  });
  const urls = [relay.url, await relay.addProcess()];
  let toldCount = 0;
  const call = async (from: Hex, nonce: number) => {
    const headers = { 'content-type': 'application/json', ...payByToy(from, nonce, 1_000_000n) };
    const url = urls[nonce % urls.length];
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    if (!response.ok) {
      toldCount += 1;
      if (toldCount === callCount - coveredCount) allTold.resolve();
    }
    return { status: response.status, told: (await response.json()) as { error?: object } };
  };
  const calls = Array.from({ length: callCount }, (_, nonce) => call(payer, nonce));
  const ofOther = await Promise.all([...calls, call(other, callCount)]).then((ended) => ended.slice(callCount));
  const ended = await Promise.all(calls);

  expect(ofOther).toMatchObject([{ status: 200 }]);
  expect(ended.filter(({ status }) => status === 200)).toHaveLength(coveredCount);
  const refused = ended.filter(({ status }) => status !== 200);
  expect(refused).toHaveLength(callCount - coveredCount);
  for (const { status, told } of refused) {
    expect(status).toBe(429);
    expect(told.error).toMatchObject({
      ...{ code: 'scope_exceeded', scope: `payer:${payer}`, limit: String(payerBudget), charged: '0' },
    });
  }
  // 10 prompt and 5 completion tokens each.
  expect(bank.balances.get(payer)).toBe(10n ** 9n - 20n * BigInt(coveredCount));
  // What was not charged is free again.
  expect((await call(payer, 1_000)).status).toBe(200);
});
