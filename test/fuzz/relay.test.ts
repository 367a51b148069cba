import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';
import { createRandom, mutateJson, mutateText, type Random } from './mutate.ts';
import { fuzzRuns, fuzzTimeoutMs } from './run-fuzz.ts';

/*
 * The whole relay, over HTTP: what the decoders' own fuzz tests leave open is whether anything of a refused request is kept.
 */

/** A request costs far more than a decoder. */
const requests = Math.ceil(fuzzRuns / 5);
const lanes = 16;
/** The most that the relay's memory may grow in the second half of the requests; in the first its heap finds its size. */
const maxGrowthBytes = 64 * 2 ** 20;

interface Input {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

let stack: TestStack;
let channelId: Hex;
/** Well-formed requests none of which the relay may serve: their payments are of less than the quote. */
let seeds: [Input, ...Input[]];
beforeAll(async () => {
  // With a small heap V8 collects garbage instead of asking for memory: what grows then is kept.
  stack = await startTestStack({ relayEnv: { NODE_OPTIONS: '--max-old-space-size=192' } });
  const { payer } = stack;
  const { relayUrl, rpcUrl, token } = payer.scope;
  channelId = await payer.openChannel({ deposit: 1_000_000n });
  const { privateKey } = stack.payFetchOptions;
  const owner = new KeyOwner(payer, privateKey);
  await owner.logIn();
  await owner.postHeadroom(channelId, 1n);
  const { apiKey } = await owner.createKey();
  const challenge = await payer.challenge();
  const x402 = new X402Payer({ relayUrl, rpcUrl, token, privateKey });
  // An offer for the least call; the quote of the calls below is higher.
  const small = await x402.sign(chatBody({ max_tokens: 1 }), 'exact');
  const body = chatBody({ max_tokens: 4_000 });
  const ask = (headers: Record<string, string>): Input => ({
    ...{ method: 'POST', path: '/v1/chat/completions', body },
    headers: { 'idempotency-key': 'one', 'accept-payment': 'evm/session;q=0.5, x402/*', ...headers },
  });
  const login = JSON.stringify(await owner.signLogin({ address: privateKeyToAccount(`0x${'7'.repeat(64)}`).address }));
  const headroom = { channelId, cumulativeAmount: '999999', signature: payer.sign(channelId, 999_998n) };
  seeds = [
    ask({ authorization: payer.authorization({ challenge, channelId, cumulativeAmount: 1n }) }),
    ask(small),
    ask({ 'x-payment': small['PAYMENT-SIGNATURE'] ?? '' }),
    ask({ authorization: `Bearer ${apiKey}` }),
    { method: 'POST', path: '/v1/auth/login', headers: {}, body: login },
    { method: 'POST', path: '/v1/keys/headroom', headers: {}, body: JSON.stringify(headroom) },
  ];
}, 120_000);
afterAll(() => stack.stop());

/** What a header may hold on the wire; node would not send the rest. */
const toHeader = (value: string) => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '').slice(0, 12_000);

function mutateInput(random: Random): Input {
  const seed = random.pick(seeds);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(seed.headers)) {
    headers[name] = random.below(2) === 0 ? toHeader(mutateHeader(value, random)) : value;
  }
  const isKeyRequest = seed.path !== '/v1/chat/completions';
  const body = isKeyRequest ? JSON.stringify(mutateJson(JSON.parse(seed.body), random)) : seed.body;
  return { ...seed, headers, body };
}

/** Damages the text of a header, or the JSON within. */
function mutateHeader(value: string, random: Random): string {
  const [, scheme = '', encoded = ''] = /^(Payment )?([A-Za-z0-9+/_-]{100,}=*)$/.exec(value) ?? [];
  if (encoded === '' || random.below(3) === 0) return mutateText(value, random);
  const json = mutateJson(JSON.parse(Buffer.from(encoded, 'base64url').toString()), random);
  return scheme + Buffer.from(JSON.stringify(json)).toString(scheme === '' ? 'base64' : 'base64url');
}

async function send({ method, path, headers, body }: Input): Promise<{ status: number; body: string }> {
  const sent = request(`${stack.stack.relayUrl}${path}`, { method, headers });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** Resident memory of the relay's process; undefined where the system does not tell. */
function relayBytes(): number | undefined {
  try {
    const status = readFileSync(`/proc/${stack.stack.pids['relay']}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  } catch {
    return undefined;
  }
}

async function sendMany(random: Random, count: number, statuses: Map<number, number>): Promise<void> {
  for (let left = count; left > 0; left -= lanes) {
    const inputs = Array.from({ length: Math.min(lanes, left) }, () => mutateInput(random));
    const answers = await Promise.all(inputs.map(send));
    for (const [index, answer] of answers.entries()) {
      const told = `${JSON.stringify(inputs[index])}: ${answer.body}`;
      expect(answer.status, told).toBeGreaterThanOrEqual(400);
      expect(answer.status, told).toBeLessThan(500);
      expect(JSON.parse(answer.body), told).toMatchObject({ error: { message: expect.any(String) } });
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  }
}

describe('mutated requests to a relay', { timeout: 120_000 + fuzzTimeoutMs }, () => {
  it('are refused below 500, charge and reserve nothing, and leave no memory behind', async () => {
    const random = createRandom(4_361);
    const statuses = new Map<number, number>();
    const first = Math.ceil(requests / 2);
    await sendMany(random, first, statuses);
    const before = relayBytes();
    await sendMany(random, requests - first, statuses);
    const after = relayBytes();
    if (before !== undefined && after !== undefined) expect(after - before).toBeLessThan(maxGrowthBytes);
    expect(statuses.get(402)).toBeGreaterThan(0);
    expect(statuses.get(400)).toBeGreaterThan(0);

    // No call has ever got as far as a reservation.
    const books = new DatabaseSync(join(stack.stack.dataDir, 'ledger.sqlite'), { readOnly: true });
    const calls = books.prepare('SELECT count(*) AS calls FROM calls').get();
    books.close();
    expect(calls).toEqual({ calls: 0 });
    const { payer } = stack;
    const refused = await payer.pay({ channelId, cumulativeAmount: 0n, body: chatBody({ max_tokens: 16_000 }) });
    const { error } = (await refused.json()) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: 'insufficient_headroom', spent: '0' });
    const health = await (await fetch(`${stack.stack.relayUrl}/healthz`)).json();
    expect(health).toMatchObject({ payments: { due: 0, lost: 0 } });
    const { claims } = await checkBooks(stack.fsckOptions);
    expect(claims.filter(({ ok }) => !ok)).toEqual([]);
  });
});
