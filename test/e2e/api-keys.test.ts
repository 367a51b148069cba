import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { sendAllowance } from '../support/send-allowance.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const masterKey = 'sk-master-of-the-tests-0123456789';
const relayEnv = { AUTOPAY_MASTER_KEY: masterKey };
const messages = [{ role: 'user' as const, content: 'Say hello.' }];

let stack: TestStack;
let owner: KeyOwner;
let channelId: Hex;
/** What the payer has signed for its keys so far. */
let signed = 0n;
/** Every key that was made: none of them may be found on the disk. */
const secrets: string[] = [];

beforeAll(async () => {
  stack = await startTestStack({ relayEnv, config: { free: { requestsPerMinute: 3 } } });
  const { privateKey } = stack.payFetchOptions;
  if (!privateKey) throw new Error('the demo wallet has no key');
  owner = new KeyOwner(stack.payer, privateKey);
  channelId = await stack.payer.openChannel({ deposit: 2_000_000n });
});
afterAll(() => stack.stop());

/** Signs this much more for keys. */
async function addHeadroom(amount: bigint) {
  const { body } = await owner.ask('GET', '/v1/balance');
  const [channel] = body['channels'] as { acceptedCumulative: string; headroom: string }[];
  signed = BigInt(channel?.acceptedCumulative ?? signed) - BigInt(channel?.headroom ?? 0) + amount;
  return owner.postHeadroom(channelId, signed);
}

async function newKey(terms: object = {}) {
  const made = await owner.createKey(terms);
  secrets.push(made.apiKey);
  return made;
}

const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey, maxRetries: 0 });
const callWith = (apiKey: string, fields: Record<string, unknown> = {}) =>
  stack.payer.post(chatBody(fields), { authorization: `Bearer ${apiKey}` });
const readChannel = async () => {
  const { body } = await owner.ask('GET', '/v1/balance');
  const [channel] = body['channels'] as Record<string, string>[];
  // One for each token, and these tests pay in one.
  if (!channel) throw new Error('there is no channel for keys');
  return { spent: BigInt(channel['spent'] ?? ''), reserved: BigInt(channel['reserved'] ?? ''), ...{ all: channel } };
};

describe('a login', () => {
  it('with another domain, chain or signer is refused', async () => {
    const foreign = await owner.signLogin({ domain: 'evil.example.com', uri: 'https://evil.example.com' });
    const elsewhere = await owner.signLogin({ chainId: 1 });
    const { message } = await owner.signLogin();
    const { signature } = await owner.signLogin();
    for (const body of [foreign, elsewhere, { message, signature }]) {
      const answer = await owner.ask('POST', '/v1/auth/login', { body });
      expect(answer).toMatchObject({ status: 401, body: { error: { code: 'invalid_login' } } });
    }
  });

  it('is good once, also when it is sent at the same time', async () => {
    const body = await owner.signLogin();
    const answers = await Promise.all(Array.from({ length: 10 }, () => owner.ask('POST', '/v1/auth/login', { body })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { body: refusal, status } of answers.filter((answer) => answer.status !== 200)) {
      expect({ refusal, status }).toMatchObject({ status: 401, refusal: { error: { code: 'nonce_already_used' } } });
    }
  });

  it('is needed before keys', async () => {
    const answer = await owner.ask('GET', '/v1/keys', { bearer: 'nobody' });
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'login_required' } } });
    expect(await owner.logIn()).toMatchObject({ status: 200, body: { payer: stack.payer.address.toLowerCase() } });
  });
});

describe('headroom', () => {
  it('comes before keys: it says which channel they spend from', async () => {
    const early = await owner.ask('POST', '/v1/keys', { body: {} });
    expect(early).toMatchObject({ status: 402, body: { error: { code: 'insufficient_headroom' } } });
    // What is asked for is a voucher that is posted, so no way to pay this request is offered.
    expect(early.headers.get('www-authenticate')).toBeNull();
    const forged = await owner.ask('POST', '/v1/keys/headroom', {
      body: { channelId, cumulativeAmount: '5', signature: `0x${'11'.repeat(64)}1b` },
    });
    expect(forged.body.error?.code).toMatch(/^(?:signer_mismatch|invalid_signature)$/);
    expect((await owner.postHeadroom(channelId, 2_000_001n)).body).toMatchObject({
      error: { code: 'amount_exceeds_deposit', deposit: '2000000' },
    });
    const posted = await owner.postHeadroom(channelId, 300_000n);
    expect(posted).toMatchObject({
      status: 200,
      body: { channelId, headroom: '300000', unspent: '2000000', spent: '0', suggestedCumulative: '1000000' },
    });
  });
});

describe('the openai client with a key', () => {
  it('gets an answer, a stream, and receipts of the payer’s channel', async () => {
    const { apiKey, id } = await newKey({ name: 'app', metadata: { team: 'ünïcödé' } });
    const openai = clientOf(apiKey);
    const before = await readChannel();
    const { data, response } = await openai.chat.completions
      .create({ model: 'sim-small', messages, max_tokens: 20 })
      .withResponse();
    expect(data.choices[0]?.message.content).toBeTruthy();
    const receipt = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
    expect(receipt).toMatchObject({ channelId, payer: stack.payer.address.toLowerCase() });

    const stream = await openai.chat.completions.create({ model: 'sim-small', messages, max_tokens: 20, stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBeTruthy();

    const after = await readChannel();
    expect(after.reserved).toBe(0n);
    const { body } = await owner.ask('GET', `/v1/keys/${id}`);
    expect(body).toMatchObject({ name: 'app', metadata: { team: 'ünïcödé' }, reserved: '0' });
    expect(BigInt(String(body['spent']))).toBe(after.spent - before.spent);
    expect(receipt.amount).toBeGreaterThan(0n);
  });

  it('may send it as x-api-key', async () => {
    const { apiKey } = await newKey();
    expect((await stack.payer.post(chatBody(), { 'x-api-key': apiKey })).status).toBe(200);
  });

  it('is told of a wrong key as OpenAI tells it, and of a placeholder that payment is needed', async () => {
    const error = (await clientOf('ap_sk_wrong')
      .chat.completions.create({ model: 'sim-small', messages })
      .catch((reason: unknown) => reason)) as InstanceType<typeof OpenAI.APIError>;
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error.code).toBe('invalid_api_key');
    expect((await callWith('placeholder')).status).toBe(402);
  });

  it('gives one answer and one charge to an Idempotency-Key', async () => {
    const { apiKey, id } = await newKey();
    const headers = { authorization: `Bearer ${apiKey}`, 'idempotency-key': 'once' };
    const first = await (await stack.payer.post(chatBody(), headers)).text();
    const { body } = await owner.ask('GET', `/v1/keys/${id}`);
    expect(await (await stack.payer.post(chatBody(), headers)).text()).toBe(first);
    expect((await owner.ask('GET', `/v1/keys/${id}`)).body['spent']).toBe(body['spent']);
    expect((await stack.payer.post(chatBody({ seed: 1 }), headers)).status).toBe(422);
  });
});

describe('the limits of a key', () => {
  const codeOf = async (response: Response) => {
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    return { ...error, status: response.status, retryAfter: response.headers.get('retry-after') };
  };

  it('hold for models, of the key and of its project', async () => {
    const project = await owner.ask('POST', '/v1/projects', { body: { name: 'p', models: ['sim-small', 'sim-free'] } });
    const { apiKey } = await newKey({ models: ['sim-small', 'other'], project_id: project.body['id'] });
    expect((await callWith(apiKey)).status).toBe(200);
    expect(await codeOf(await callWith(apiKey, { model: 'sim-free' }))).toMatchObject({
      ...{ status: 403, code: 'model_not_allowed', param: 'model', allowedModels: 'sim-small' },
    });
    expect((await callWith(apiKey, { model: 'other' })).status).toBe(403);
  });

  it('hold for its life: an expired or deleted key calls no more', async () => {
    const { apiKey, id } = await newKey({ expires_at: new Date(Date.now() + 3_600_000).toISOString() });
    expect((await callWith(apiKey)).status).toBe(200);
    await owner.ask('PATCH', `/v1/keys/${id}`, { body: { expires_at: new Date(Date.now() - 1).toISOString() } });
    expect(await codeOf(await callWith(apiKey))).toMatchObject({ status: 403, code: 'api_key_expired' });
    await owner.ask('PATCH', `/v1/keys/${id}`, { body: { expires_at: null } });
    expect((await callWith(apiKey)).status).toBe(200);
    expect((await owner.ask('DELETE', `/v1/keys/${id}`)).body).toMatchObject({ deleted: true });
    expect(await codeOf(await callWith(apiKey))).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect((await owner.ask('PATCH', `/v1/keys/${id}`, { body: {} })).status).toBe(404);
  });

  it('hold for requests and tokens per minute, and say when to come back', async () => {
    const byRequests = await newKey({ rpm_limit: 2 });
    const statuses = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await callWith(byRequests.apiKey)).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await codeOf(await callWith(byRequests.apiKey));
    expect(refused).toMatchObject({ code: 'rate_limit_exceeded', limit: 2 });
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    const byTokens = await newKey({ tpm_limit: 5 });
    expect((await callWith(byTokens.apiKey)).status).toBe(200);
    expect(await codeOf(await callWith(byTokens.apiKey))).toMatchObject({ status: 429, limitOf: 'tokens' });
  });

  it('hold for its budget, which is told with its end and not retried', async () => {
    const { apiKey, id } = await newKey({ budget: '1', budget_duration: '1h' });
    const response = await callWith(apiKey);
    expect(response.headers.get('x-should-retry')).toBe('false');
    const refused = await codeOf(response);
    expect(refused).toMatchObject({
      status: 429,
      code: 'scope_exceeded',
      scope: `key:${id}`,
      limit: '1',
      charged: '0',
    });
    expect(Number(refused.retryAfter)).toBeGreaterThan(3_000);
    await owner.ask('PATCH', `/v1/keys/${id}`, { body: { budget: '100000' } });
    expect((await callWith(apiKey)).status).toBe(200);
  });

  it('keep it from managing keys, unless it was made to', async () => {
    const plain = await newKey({ name: 'plain' });
    const managing = await newKey({ name: 'managing', manages: true });
    const asPlain = { bearer: plain.apiKey, body: {} };
    expect((await owner.ask('POST', '/v1/keys', asPlain)).body.error?.code).toBe('forbidden');
    expect((await owner.ask('DELETE', `/v1/keys/${managing.id}`, { bearer: plain.apiKey })).status).toBe(403);
    const own = await owner.ask('GET', '/v1/keys', { bearer: plain.apiKey });
    expect(own.body['data']).toMatchObject([{ name: 'plain' }]);
    const made = await owner.ask('POST', '/v1/keys', { bearer: managing.apiKey, body: {} });
    secrets.push(String(made.body['key']));
    expect(made.status).toBe(201);
  });
});

describe('100 parallel calls on one key', () => {
  const parallel = async (apiKey: string) => {
    const responses = await Promise.all(Array.from({ length: 100 }, () => callWith(apiKey)));
    await Promise.all(responses.map((response) => response.text()));
    return responses;
  };

  it('never exceed its budget', async () => {
    await addHeadroom(500_000n);
    const quote = await quoteOf();
    const { apiKey, id } = await newKey({ budget: String(quote * 7n) });
    const before = await readChannel();
    const statuses = (await parallel(apiKey)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    const after = await readChannel();
    const { body } = await owner.ask('GET', `/v1/keys/${id}`);
    expect(BigInt(String(body['spent']))).toBe(after.spent - before.spent);
    expect(BigInt(String(body['spent']))).toBeLessThanOrEqual(quote * 7n);
    expect(body['reserved']).toBe('0');
  });

  it('never exceed the headroom; what is out of it says what to sign', async () => {
    const quote = await quoteOf();
    // A channel of its own, on which the keys spend from now on.
    const small = await stack.payer.openChannel({ deposit: quote * 20n });
    const accepted = quote * 9n;
    await owner.postHeadroom(small, accepted);
    const { apiKey } = await newKey();
    const statuses: number[] = [];
    let isDrained = false;
    while (!isDrained) {
      const round = (await parallel(apiKey)).map(({ status }) => status);
      statuses.push(...round);
      isDrained = !round.includes(200);
    }
    expect(new Set(statuses)).toEqual(new Set([200, 402]));
    const { all, reserved, spent } = await readChannel();
    expect(all).toMatchObject({ channelId: small, acceptedCumulative: String(accepted) });
    expect(spent).toBeLessThanOrEqual(accepted);
    expect(spent).toBeGreaterThan(accepted - quote);
    expect(reserved).toBe(0n);

    const refused = await callWith(apiKey);
    const { error } = (await refused.json()) as { error: Record<string, string> };
    expect(error).toMatchObject({ code: 'insufficient_headroom', channelId: small });
    expect(error['message']).toContain('POST /v1/keys/headroom');
    expect(error['requiredCumulative']).toBe(String(spent + quote));
    await owner.postHeadroom(small, spent + quote);
    expect((await callWith(apiKey)).status).toBe(200);
    // Back on the first channel.
    await owner.postHeadroom(channelId, 1n);
  });

  /** What one call of these tests can cost at most. */
  async function quoteOf(): Promise<bigint> {
    const response = await callWith('placeholder');
    const { error } = (await response.json()) as { error: { quote: string } };
    return BigInt(error.quote);
  }
});

describe('LiteLLM’s API of keys', () => {
  const asMaster = (method: string, path: string, body?: object) =>
    owner.ask(method, path, { bearer: masterKey, ...(body && { body }) });

  it('is the operator’s', async () => {
    for (const bearer of ['wrong', secrets[0] ?? '']) {
      const answer = await owner.ask('POST', '/key/generate', { bearer, body: { user_id: stack.payer.address } });
      expect(answer).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    }
  });

  it('makes keys on payers that posted headroom, and on no others', async () => {
    const stranger = await asMaster('POST', '/key/generate', { user_id: `0x${'ab'.repeat(20)}` });
    expect(stranger).toMatchObject({ status: 402, body: { error: { code: 'insufficient_headroom' } } });
    const ignored = await asMaster('POST', '/key/generate', { user_id: stack.payer.address, max_parallel_requests: 3 });
    expect(ignored).toMatchObject({ status: 400, body: { error: { param: 'max_parallel_requests' } } });
  });

  it('generates, tells of, changes and deletes keys, in its own words', async () => {
    await addHeadroom(100_000n);
    const generated = await asMaster('POST', '/key/generate', {
      ...{ user_id: stack.payer.address, key_alias: 'lite', models: ['sim-small'], duration: '30d' },
      ...{ max_budget: 0.05, budget_duration: '1d', rpm_limit: 100, tpm_limit: 100_000 },
      ...{ metadata: { app: 'x' }, aliases: {}, config: {}, max_parallel_requests: null },
    });
    const key = String(generated.body['key']);
    secrets.push(key);
    expect(generated).toMatchObject({
      status: 200,
      body: {
        key_alias: 'lite',
        max_budget: 0.05,
        budget_duration: '1d',
        models: ['sim-small'],
        spend: 0,
        rpm_limit: 100,
      },
    });
    const days = (Date.parse(String(generated.body['expires'])) - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
    const called = await callWith(key);
    expect(called.status).toBe(200);
    const receipt = decodeReceipt(decodeSignedReceipt(called.headers.get('x-autopay-receipt') ?? '').entry);

    const info = await asMaster('GET', `/key/info?key=${key}`);
    expect(info.body).toMatchObject({
      key,
      info: { user_id: stack.payer.address.toLowerCase(), metadata: { app: 'x' } },
    });
    const { info: facts } = info.body as { info: { spend: number; token: string } };
    expect(facts.spend).toBeCloseTo(Number(receipt.amount) / 1e6, 9);
    expect((await owner.ask('GET', '/key/info', { bearer: key })).body).toMatchObject({ info: { key_alias: 'lite' } });

    const logs = await asMaster('GET', `/spend/logs?api_key=${facts.token}`);
    expect(logs.body).toMatchObject([
      {
        ...{ request_id: receipt.callId, api_key: facts.token, model: 'sim-small', spend: facts.spend },
        ...{ prompt_tokens: receipt.usage.prompt, completion_tokens: receipt.usage.completion },
        ...{ startTime: new Date(receipt.admittedAtMs).toISOString(), user: stack.payer.address.toLowerCase() },
      },
    ]);
    const today = new Date().toISOString().slice(0, 10);
    const byDay = await asMaster('GET', `/spend/logs?start_date=${today}&end_date=${today}&api_key=${key}`);
    expect(byDay.body).toMatchObject([{ startTime: today, models: { 'sim-small': expect.closeTo(facts.spend, 9) } }]);

    const updated = await asMaster('POST', '/key/update', { key, max_budget: 0, models: [] });
    expect(updated.body).toMatchObject({ key, max_budget: 0, models: [], budget_duration: '1d' });
    expect((await callWith(key)).status).toBe(429);
    expect((await asMaster('POST', '/key/delete', { keys: [key] })).body).toEqual({ deleted_keys: [key] });
    expect((await callWith(key)).status).toBe(401);
    expect((await asMaster('GET', `/key/info?key=${key}`)).status).toBe(404);
  });
});

describe('a key in allowance mode', () => {
  const unit = 10n ** 18n / 1_250n;
  const send = (functionName: 'approve' | 'setDailyCap', amount: bigint) =>
    sendAllowance({ functionName, amount, stack: stack.stack, privateKey: stack.payFetchOptions.privateKey });
  const readAllowance = async () => {
    const { body } = await owner.ask('GET', '/v1/balance');
    return BigInt((body['allowance'] as { allowance: string }).allowance);
  };
  let apiKey = '';

  it('needs an allowance, and says what there is', async () => {
    ({ apiKey } = await newKey({ mode: 'allowance' }));
    const refused = await callWith(apiKey);
    const { error } = (await refused.json()) as { error: object };
    expect({ ...error, status: refused.status }).toMatchObject({
      status: 402,
      code: 'insufficient_allowance',
      available: '0',
    });
  });

  it('takes what a call costs, in whole billing units, once the answer is there', async () => {
    await send('approve', 10n ** 18n);
    // For a fifth of a second the relay believes that there was too little.
    await sleep(250);
    const response = await callWith(apiKey);
    expect(response.status).toBe(200);
    const receipt = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
    expect(receipt).toMatchObject({
      sequence: 0,
      token: stack.stack.tokens['AGPT']?.address,
      payer: stack.payer.address.toLowerCase(),
    });
    const taken = 10n ** 18n - (await readAllowance());
    expect(taken).toBe(((receipt.amount + unit - 1n) / unit) * unit);
    expect(receipt.amount).toBeGreaterThan(0n);
    const text = await (await callWith(apiKey, { stream: true })).text();
    expect(text).toContain('data: [DONE]');
  });

  it('never takes more than was allowed, however many calls come at once', async () => {
    await send('approve', 6n * unit);
    // Less than before: for a second the relay believes what it read last.
    await sleep(1_100);
    const responses = await Promise.all(Array.from({ length: 30 }, () => callWith(apiKey)));
    const statuses = responses.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 402]));
    expect(await readAllowance()).toBeLessThan(6n * unit);
    const health = (await (await fetch(`${stack.stack.relayUrl}/healthz`)).json()) as { payments: { lost: number } };
    expect(health.payments.lost).toBe(0);
  });

  it('keeps to the cap that the wallet set for a day', async () => {
    await send('approve', 10n ** 18n);
    await send('setDailyCap', 0n);
    // For a second the relay believes what it read before.
    await sleep(1_100);
    const refused = await callWith(apiKey);
    expect(((await refused.json()) as { error: object }).error).toMatchObject({
      code: 'insufficient_allowance',
      available: '0',
    });
    await send('setDailyCap', 2n ** 128n - 1n);
    await expect.poll(async () => (await callWith(apiKey)).status, { interval: 250 }).toBe(200);
  });
});

describe('free routes', () => {
  it('have a limit for each address, and a receipt each', async () => {
    const statuses: number[] = [];
    for (let call = 0; call < 6; call += 1) {
      const response = await stack.payer.post(chatBody({ model: 'sim-free' }), {
        'x-forwarded-for': `192.0.2.${call}`,
      });
      statuses.push(response.status);
      if (response.status === 200) expect(response.headers.get('x-autopay-receipt')).toBeTruthy();
      else expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    // A minute may end in between.
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(3);
    expect(statuses).toContain(429);
  });
});

describe('afterwards', () => {
  it('spending can be read by key, model, project and day', async () => {
    const sumOf = async (query: string) => {
      const { body } = await owner.ask('GET', `/v1/spending?${query}`);
      const rows = body['data'] as Record<string, string>[];
      return { rows, total: rows.reduce((sum, { amount }) => sum + BigInt(amount ?? ''), 0n) };
    };
    const { rows, total } = await sumOf('group_by=model');
    expect(rows.map(({ model }) => model)).toContain('sim-small');
    expect(total).toBeGreaterThan((await readChannel()).spent);
    expect((await sumOf('group_by=project,day')).total).toBe(total);
    const { rows: byKey } = await sumOf('group_by=key');
    const [some] = byKey.filter(({ key_id: id }) => id !== null);
    expect((await sumOf(`key_id=${some?.['key_id']}`)).total).toBe(BigInt(some?.['amount'] ?? ''));
    expect((await owner.ask('GET', '/v1/spending?group_by=colour')).status).toBe(400);
  });

  it('a restart keeps keys, their spending, and what was used up', async () => {
    const { apiKey, id } = await newKey({ name: 'lasting' });
    await addHeadroom(50_000n);
    expect((await callWith(apiKey)).status).toBe(200);
    const login = await owner.signLogin();
    expect((await owner.ask('POST', '/v1/auth/login', { body: login })).status).toBe(200);
    const { body: before } = await owner.ask('GET', `/v1/keys/${id}`);
    await stack.killRelay();
    await stack.startRelay(relayEnv);
    // Sessions last, too: they are in no memory.
    expect((await owner.ask('GET', `/v1/keys/${id}`)).body).toEqual(before);
    expect((await callWith(apiKey)).status).toBe(200);
    const replay = await owner.ask('POST', '/v1/auth/login', { body: login });
    expect(replay.body).toMatchObject({ error: { code: 'nonce_already_used' } });
  });

  it('the payer closes its channel without a transaction of its own, and keys on it end', async () => {
    const { apiKey } = await newKey();
    const { spent } = await readChannel();
    const closed = await owner.ask('POST', `/v1/channels/${channelId}/close`);
    expect(closed).toMatchObject({ status: 200, body: { spent: String(spent), returned: String(2_000_000n - spent) } });
    expect((await callWith(apiKey)).status).toBe(410);
    const again = await owner.ask('POST', `/v1/channels/${channelId}/close`);
    expect(again.body).toEqual(closed.body);
  });

  it('the books agree, and are collected', async () => {
    await stack.runJob('collect');
    await stack.runJob('anchor');
    const { claims } = await checkBooks(stack.fsckOptions);
    expect(claims.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('nothing on the disk holds a key', async () => {
    expect(secrets.length).toBeGreaterThan(10);
    const { dataDir } = stack.stack;
    const files = await readdir(dataDir, { recursive: true, withFileTypes: true });
    const contents = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name))),
    );
    const all = Buffer.concat(contents);
    // The test would see one that is there: hints are.
    expect(all.includes(secrets[0]?.slice(-4) ?? '-')).toBe(true);
    for (const secret of secrets) expect(all.includes(secret.slice(6))).toBe(false);
  });
});
