import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toHex } from '../protocol/bytes/hex.ts';
import { costOfUsage } from '../protocol/pricing/token-prices.ts';
import { parseCallId } from '../protocol/receipt/call-id.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { createSimulator, type Simulator } from '../simulator/create-simulator.ts';
import { makeRoute } from './call/call-fixtures.ts';
import { plainRoute, type RouteTerms } from './call/routing-terms.ts';
import type { Deployment, Route } from './call/types.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import type { AttemptRecord } from './ledger/ledger.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { createTransport, type Provider, type ProviderTransport } from './providers/openai-compatible.ts';
import { startToyRelay, type ToyRelay } from './toy-relay-fixture.ts';

/*
 * docs/FAULTS.md, row by row: every fault of a provider, for JSON and for streams, through a running relay on real books, with the
 * unmodified openai client. What the client saw, what was charged, which attempts were recorded.
 */

/** What a call ends in: an answer, or an error of this status, code and, after the first byte, within the stream. */
type Seen = 'answer' | { status: number; code: string | null } | { broken: string };

interface Ending {
  seen: Seen;
  /** The outcomes of its attempts, in order, with their status. */
  attempts: string[];
}

interface Fault {
  /** Directives of the simulator; or where the provider is not. */
  ask: string | { baseUrl: () => string };
  terms?: Partial<RouteTerms>;
  /** Where nothing else may answer. */
  alone: Record<'json' | 'stream', Ending>;
  /** Where another deployment (or, `terms` say, another route) may. */
  backed: Record<'json' | 'stream', Ending>;
}

const refused = (status: number, code: string | null, recorded = status): Ending => ({
  seen: { status, code },
  attempts: [`refused ${recorded}`],
});
const failed = (status: number, code: string, attempt: string): Ending => ({
  seen: { status, code },
  attempts: [attempt],
});
const broken = (code: string, attempt: string): Ending => ({ seen: { broken: code }, attempts: [attempt] });
const answered = (...attempts: string[]): Ending => ({ seen: 'answer', attempts: [...attempts, 'ok 200'] });
const both = (ending: Ending): Fault['alone'] => ({ json: ending, stream: ending });
const backedBy = (...attempts: string[]): Fault['alone'] => both(answered(...attempts));

/** A refusal that the client is told as it came, and that another deployment makes good. */
const refusal = (directives: string, status: number, code: string | null): Fault => ({
  ask: `fault=status:${status}${directives}`,
  alone: both(refused(status, code)),
  backed: backedBy(`refused ${status}`),
});
/** A failure before any byte. */
const failure = (ask: Fault['ask'], told: [number, string], attempt: string): Fault => ({
  ...{ ask, alone: both(failed(...told, attempt)), backed: backedBy(attempt) },
});
const unreachable = (baseUrl: () => string) => failure({ baseUrl }, [502, 'upstream_unreachable'], 'unreachable null');
/** A key that is refused, or an account without money, is nothing that its client could mend. */
const refusedKey = (status: number, directives = ''): Fault => ({
  ask: `fault=status:${status}${directives}`,
  ...{ alone: both(refused(502, 'upstream_error', status)), backed: backedBy(`refused ${status}`) },
});
/** What only a route of its own kind makes good. */
const ofItsOwn = (code: string, reason: 'context_window' | 'content_policy'): Fault => ({
  ask: `fault=status:400&code=${code}`,
  terms: { fallbacks: { ...plainRoute.fallbacks, [reason]: ['backup'] } },
  ...{ alone: both(refused(400, code)), backed: backedBy('refused 400') },
});

let closedUrl = '';

const faults: Record<string, Fault> = {
  '429 with Retry-After in seconds': refusal('&retryAfter=7', 429, 'rate_limit_exceeded'),
  '429 with Retry-After as a date': refusal('&retryAfterDate=7', 429, 'rate_limit_exceeded'),
  '429 with retry-after-ms': refusal('&retryAfterMs=7000', 429, 'rate_limit_exceeded'),
  'status 500': refusal('', 500, null),
  'status 502': refusal('', 502, null),
  'status 503': refusal('', 503, null),
  '401, the relay’s key is refused': refusedKey(401),
  '403, the relay’s key is refused': refusedKey(403),
  '429, the relay’s account has no money': refusedKey(429, '&code=insufficient_quota'),
  '404, the model is not there any more': refusal('', 404, 'model_not_found'),
  'connection refused': unreachable(() => closedUrl),
  'connection reset': failure('fault=refuse', [502, 'upstream_unreachable'], 'unreachable null'),
  'DNS failure': unreachable(() => 'http://nowhere.invalid/v1'),
  'time-out before headers': failure('fault=hang-headers', [504, 'upstream_timeout'], 'timeout null'),
  'cut before the first byte': failure('fault=cut-before-first', [502, 'upstream_truncated'], 'truncated 200'),
  'cut after the first byte': {
    ask: 'tps=300&tokens=30&fault=cut-after:5',
    alone: {
      json: failed(502, 'upstream_truncated', 'truncated 200'),
      stream: broken('upstream_truncated', 'truncated 200'),
    },
    backed: { json: answered('truncated 200'), stream: broken('upstream_truncated', 'truncated 200') },
  },
  'stall between chunks': {
    ask: 'tps=300&tokens=30&fault=stall-after:5',
    alone: { json: failed(504, 'upstream_timeout', 'timeout 200'), stream: broken('upstream_timeout', 'timeout 200') },
    backed: { json: answered('timeout 200'), stream: broken('upstream_timeout', 'timeout 200') },
  },
  'error event within the stream': {
    ask: 'tps=300&tokens=30&fault=error-after:5',
    alone: { json: answered(), stream: broken('server_error', 'refused 200') },
    backed: { json: answered(), stream: broken('server_error', 'refused 200') },
  },
  'malformed chunk': {
    ask: 'tps=100&tokens=30&fault=malformed-chunk',
    alone: { json: failed(502, 'upstream_error', 'refused 200'), stream: broken('upstream_error', 'refused 200') },
    backed: { json: answered('refused 200'), stream: broken('upstream_error', 'refused 200') },
  },
  'no [DONE]': { ask: 'fault=no-done', alone: both(answered()), backed: both(answered()) },
  'empty answer': {
    ask: 'fault=empty',
    alone: {
      json: failed(502, 'upstream_error', 'refused 200'),
      stream: failed(502, 'upstream_truncated', 'truncated 200'),
    },
    backed: { json: answered('refused 200'), stream: answered('truncated 200') },
  },
  'wrong content type': {
    ask: 'fault=wrong-content-type',
    // The body is what was asked for; the header is mended.
    alone: { json: answered(), stream: failed(502, 'upstream_error', 'refused 200') },
    backed: { json: answered(), stream: answered('refused 200') },
  },
  'a provider that flaps': {
    ask: 'fault=status:500&flap=2',
    terms: { retries: 2 },
    alone: both(answered('refused 500', 'refused 500')),
    backed: backedBy('refused 500'),
  },
  'slow drip': { ask: 'tokens=5&fault=slow-drip:1', alone: both(answered()), backed: both(answered()) },
  'prompt too long for the model': ofItsOwn('context_length_exceeded', 'context_window'),
  'content refused': ofItsOwn('content_policy_violation', 'content_policy'),
};

const price = makeRoute().prices ?? [];
const kinds = ['json', 'stream'] as const;
type Kind = (typeof kinds)[number];
const endings = ['alone', 'backed'] as const;

/** What rests after one case must not be missed by another: each has a provider, and a model, of its own. */
const cases = Object.entries(faults).flatMap(([name, fault]) => kinds.map((kind) => ({ name, kind, fault })));
const nameOf = (name: string, kind: Kind, ending: (typeof endings)[number]) =>
  `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.${kind}.${ending}`;

function makeRoutes(): Route[] {
  const backup: Deployment = { id: 'backup@x', provider: 'backup', model: 'sim-backup' };
  const routes = cases.flatMap(({ fault, kind, name }) =>
    endings.map((ending) => {
      const model = nameOf(name, kind, ending);
      // The simulator counts its flaps by the model’s name.
      const asked = typeof fault.ask === 'string' ? `sim-${kind}-${ending}?${fault.ask}` : 'sim-small';
      const own: Deployment = { id: `${model}@x`, provider: model, model: asked };
      const { fallbacks, ...terms } = { ...plainRoute, ...fault.terms };
      const hasRoute = Object.values(fallbacks).some((listed) => listed.length > 0);
      const deployments = ending === 'backed' && !hasRoute ? [own, backup] : [own];
      const backing = ending === 'backed' ? { fallbacks } : {};
      return makeRoute({ model, prices: price, deployments, terms: { ...plainRoute, ...terms, ...backing } });
    }),
  );
  const hedged = kinds.map((kind) => {
    const model = `hedged-${kind}`;
    const slow: Deployment = { id: `${model}@x`, provider: 'backup', model: `sim-${model}?fault=hang-headers` };
    const terms = { ...plainRoute, hedgeAfterMs: 30 };
    return makeRoute({ model, prices: price, deployments: [slow, backup], terms });
  });
  return [...routes, ...hedged, makeRoute({ model: 'backup', prices: price, deployments: [backup] })];
}

let simulator: Simulator;
let transport: ProviderTransport;
let relay: ToyRelay;
let books: DatabaseSync;
let removeFolder: () => void;
let nonce = 0;
const payer = toHex(randomBytes(20));

beforeAll(async () => {
  simulator = createSimulator();
  const baseUrl = `${await simulator.listen(0)}/v1`;
  closedUrl = await findClosedPort();
  const providers = cases.flatMap(({ fault: { ask }, kind, name }) =>
    endings.map((ending): Provider => {
      return { name: nameOf(name, kind, ending), baseUrl: typeof ask === 'object' ? ask.baseUrl() : baseUrl };
    }),
  );
  transport = createTransport({
    providers: [...providers, { name: 'backup', baseUrl }],
    ...{ connectTimeoutMs: 2_000, headersTimeoutMs: 400, idleTimeoutMs: 400, maxConnections: 16 },
  });
  const { dataDir, remove } = temporaryFolder();
  removeFolder = remove;
  const bank = new ToyBank();
  bank.balances.set(payer, 10n ** 12n);
  relay = await startToyRelay({ dataDir, bank, upstream: transport, routes: makeRoutes() });
  books = new DatabaseSync(join(dataDir, 'ledger.sqlite'), { readOnly: true });
});

afterAll(async () => {
  books.close();
  await relay.kill();
  await transport.close();
  await simulator.close();
  removeFolder();
});

/** A port that nothing listens on. */
async function findClosedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/v1`;
}

interface Ended {
  seen: Seen;
  callId: string;
  headers: Headers;
}

/** One call by the openai client, which retries nothing here so that it is one. */
async function call(model: string, kind: Kind): Promise<Ended> {
  nonce += 1;
  const defaultHeaders = payByToy(payer, nonce, 1_000_000n);
  const client = new OpenAI({ baseURL: `${relay.url}/v1`, apiKey: 'none', maxRetries: 0, defaultHeaders });
  const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
  let headers = new Headers();
  let hasBegun = false;
  const end = (seen: Seen): Ended => ({ seen, headers, callId: headers.get('x-autopay-call-id') ?? '' });
  try {
    if (kind === 'json') {
      const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
      headers = response.headers;
      expect(data.choices[0]?.message.content).toContain('[simulated]');
      return end('answer');
    }
    const { data, response } = await client.chat.completions.create({ model, messages, stream: true }).withResponse();
    headers = response.headers;
    hasBegun = true;
    let text = '';
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('[simulated]');
    return end('answer');
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    const { code, status, type } = error as APIError<number | undefined, Headers | undefined>;
    if (hasBegun) return end({ broken: code ?? type ?? 'none' });
    headers = (error.headers as Headers | undefined) ?? headers;
    return end({ status: Number(status), code: code ?? null });
  }
}

function attemptsOf(callId: string): string[] {
  const row = books.prepare('SELECT attempts FROM calls WHERE call_id = ?').get(parseCallId(callId));
  const attempts = JSON.parse(String(row?.['attempts'] ?? '[]')) as AttemptRecord[];
  return attempts.map(({ outcome, status }) => `${outcome} ${status}`);
}

/** Nothing for a call that failed; else what its own usage costs at its own price. */
async function expectCharge(callId: string, isAnswered: boolean): Promise<void> {
  const signed = await relay.ledger.getSignedReceipt(callId);
  if (!isAnswered) return expect(signed).toBeUndefined();
  const receipt = signed && decodeReceipt(signed.entry);
  const [prices] = price;
  if (!receipt || !prices) throw new Error('an answer was not charged');
  expect(receipt.usage.completion).toBeGreaterThan(0);
  expect(receipt.amount).toBe(costOfUsage(receipt.usage, { prices, conversion: null }));
}

function countHeld(): number {
  return Number(books.prepare("SELECT count(*) AS count FROM calls WHERE state = 'reserved'").get()?.['count']);
}

async function expectEnding(model: string, kind: Kind, expected: Ending): Promise<Ended> {
  const ended = await call(model, kind);
  expect(ended.seen).toEqual(expected.seen);
  expect(attemptsOf(ended.callId)).toEqual(expected.attempts);
  await expectCharge(ended.callId, expected.seen === 'answer');
  expect(countHeld()).toBe(0);
  return ended;
}

describe('a fault of a provider', () => {
  test.each(cases)('without another to go to: $name, $kind', async ({ fault, kind, name }) => {
    const expected = fault.alone[kind];
    await expectEnding(nameOf(name, kind, 'alone'), kind, expected);
  });

  test.each(cases)('with another to go to: $name, $kind', async ({ fault, kind, name }) => {
    const expected = fault.backed[kind];
    const { headers } = await expectEnding(nameOf(name, kind, 'backed'), kind, expected);
    if (expected.seen === 'answer') expect(headers.get('x-autopay-attempts')).toBe(String(expected.attempts.length));
  });
});

test.each(kinds)('of two that were asked only the one that answered is charged: %s', async (kind) => {
  await expectEnding(`hedged-${kind}`, kind, { seen: 'answer', attempts: ['aborted null', 'ok 200'] });
});

test('the time to wait is passed on in the form in which it came', async () => {
  const waitOf = async (name: string) => {
    const { headers } = await call(nameOf(name, 'json', 'alone'), 'json');
    return [headers.get('retry-after'), headers.get('retry-after-ms')];
  };
  expect(await waitOf('429 with Retry-After in seconds')).toEqual(['7', null]);
  expect(await waitOf('429 with Retry-After as a date')).toEqual([expect.stringMatching(/GMT$/), null]);
  expect(await waitOf('429 with retry-after-ms')).toEqual([null, '7000']);
});

test('a stream that broke never ends as if it were whole', async () => {
  nonce += 1;
  const response = await fetch(`${relay.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...payByToy(payer, nonce, 1_000_000n) },
    body: JSON.stringify({
      model: nameOf('cut after the first byte', 'stream', 'alone'),
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
    }),
  });
  let text = '';
  const reading = (async () => {
    for await (const piece of response.body ?? []) text += Buffer.from(piece as Uint8Array).toString('utf8');
  })();
  await expect(reading).rejects.toThrow('terminated');
  expect(text).toMatch(/data: {"error":{[^\n]*"code":"upstream_truncated"[^\n]*}}\n\n$/);
  expect(text).not.toContain('[DONE]');
});
