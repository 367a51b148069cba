import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { modelBudgetsAbi } from '../protocol/abi/model-budgets.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { createSimulator } from '../simulator/create-simulator.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { chatBody, RawPayer } from '../test/support/raw-payer.ts';
import { sendAs } from '../test/support/send-as.ts';
import { findFreePort } from '../scripts/stack/find-port.ts';
import { createChainClient } from './chain/create-chain-client.ts';
import { priceRootOf } from './config/list-prices.ts';
import { createLog } from './log.ts';
import { startRelay, type Relay } from './start-relay.ts';

const simulator = createSimulator();
const log = createLog('silent');
const deposit = 1_000_000n;
const operatorToken = 'ab'.repeat(32);
let stack: ChainStack;
let simulatorUrl: string;
let dataDir: string;
let relay: Relay;
let payer: RawPayer;
let stranger: RawPayer;
let channelId: Hex;
/** What the channel has been charged, as its receipts say. */
let spent = 0n;

beforeAll(async () => {
  simulatorUrl = await simulator.listen(0);
  stack = await deployStack({ priceRootOf: ({ USDC }) => priceRootOf(parse(salesText(USDC?.address))) });
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-start-'));
  await mkdir(join(dataDir, 'keys'));
  await writeFile(join(dataDir, 'keys/relay.key'), toHex(stack.relayKey), { mode: 0o600 });
  await writeFile(join(dataDir, 'keys/operator.token'), operatorToken, { mode: 0o600 });
  await writeFile(join(dataDir, 'autopay.yaml'), configText());
  relay = await startRelay({ dataDir, port: 0, log });
  const { contracts, chain } = stack;
  const scope = {
    relayUrl: relay.url,
    rpcUrl: chain.rpcUrl,
    chainId: chain.chainId,
    escrow: contracts.paymentChannels,
    payee: contracts.autoPayLLM,
    token: contracts.usdc,
  };
  payer = new RawPayer(scope, toHex(stack.payerKey));
  stranger = new RawPayer(scope, toHex(randomBytes(32)));
  channelId = await payer.openChannel({ deposit });
});
afterAll(async () => {
  await relay?.close();
  await simulator.close();
  await stack?.stop();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

/** What is sold for what: this decides the root of the price table. */
function salesText(usdc: Hex | undefined): string {
  return `
tokens: [{ symbol: USDC, address: "${usdc}", decimals: 6 }]
routes:
  - model: sim-small
    deployments: [{ provider: simulated, model: sim-small, region: local }]
    price: { prompt: "0.15", completion: "0.60" }
  - model: sim-broken
    deployments: [{ provider: simulated, model: "sim-small?fault=status:500", region: local }]
    price: { prompt: "0.15", completion: "0.60" }
  - { model: sim-free, free: true, deployments: [{ provider: simulated, model: sim-free }] }
  - model: sim-backed
    fallbacks: [sim-small]
    deployments: [{ provider: simulated, model: "sim-backed?fault=status:503", region: local }]
    price: { prompt: "0.01", completion: "0.01" }
  - { model: sim-auto, auto: { among: [sim-small] } }
`;
}

function configText(changes: { chainId?: number; autoPayLLM?: Hex } = {}): string {
  const { contracts, chain, deployment } = stack;
  const { chainId = chain.chainId, autoPayLLM = contracts.autoPayLLM } = changes;
  return `${salesText(contracts.usdc)}
listen: { port: 0 }
chain: { id: ${chainId}, rpcUrl: "${chain.rpcUrl}", deployedAtBlock: ${contracts.deployedAtBlock} }
contracts: ${JSON.stringify({ ...deployment.contracts, autoPayLLM })}
providers:
  - { name: simulated, baseUrl: "${simulatorUrl}/v1" }
collection: { intervalSeconds: 600 }
audit: { intervalSeconds: 3600 }
limits: { maxBodyBytes: 65536 }
routing: { rules: [{ name: legal_docs, when: { keywords: [contract] }, targets: [sim-free] }] }
`;
}

/** A data folder for another relay. */
async function folderWith(config: string, relayKey = toHex(stack.relayKey)): Promise<string> {
  const folder = await mkdtemp(join(dataDir, 'other-'));
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys/relay.key'), relayKey, { mode: 0o600 });
  await writeFile(join(folder, 'autopay.yaml'), config);
  return folder;
}

async function readError(response: Response) {
  const body = (await response.json()) as { error: Record<string, unknown>; type?: string; status?: number };
  return {
    ...body,
    status: response.status,
    code: body.error['code'],
    callId: response.headers.get('x-autopay-call-id'),
  };
}

/** The next voucher that pays for a call of up to 2,000 atomic units. */
let signed = 0n;
const nextVoucher = () => (signed = (signed > spent ? signed : spent) + 2_000n);

async function pay(options: { body?: string; cumulativeAmount?: bigint } = {}) {
  const { body = chatBody(), cumulativeAmount = nextVoucher() } = options;
  return payer.pay({ channelId, cumulativeAmount, body });
}

function readReceipt(base64: string | null | undefined) {
  const receipt = decodeReceipt(decodeSignedReceipt(base64 ?? '').entry);
  spent = receipt.runningTotal > spent ? receipt.runningTotal : spent;
  return receipt;
}

const operator = (path: string, token = operatorToken) =>
  fetch(`${relay.url}/v1/operator/${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });

describe('a relay that is running', () => {
  it('describes itself and its prices', async () => {
    expect(await (await fetch(`${relay.url}/healthz`)).json()).toMatchObject({
      status: 'ok',
      relay: stack.relay,
      chainId: 31337,
      contracts: { autoPayLLM: stack.contracts.autoPayLLM },
      tokens: [{ symbol: 'USDC', decimals: 6 }],
      // The bond is read soon after the start.
      bond: {},
    });
    const models = (await (await fetch(`${relay.url}/v1/models`)).json()) as {
      data: { id: string }[];
      price_root: string;
    };
    expect(models.data.find((model) => model.id === 'sim-small')).toMatchObject({
      object: 'model',
      owned_by: 'autopay',
      free: false,
      context_tokens: 128_000,
      default_max_output_tokens: 4096,
      pricing: [{ symbol: 'USDC', prompt: '150000', completion: '600000', request: '0', per_tokens: 1_000_000 }],
    });
    expect(models.data.find((model) => model.id === 'sim-free')).toMatchObject({ free: true });
    expect(models.price_root).toMatch(/^0x[0-9a-f]{64}$/);
  });

  it('sells a JSON call for a voucher, with a receipt', async () => {
    const response = await pay();
    expect(response.status).toBe(200);
    const answer = (await response.json()) as { choices: unknown[] };
    expect(answer.choices).toHaveLength(1);
    const receipt = readReceipt(response.headers.get('x-autopay-receipt'));
    expect(receipt.callId).toBe(response.headers.get('x-autopay-call-id'));
    expect(receipt).toMatchObject({ channelId, sequence: 1, modelAsked: 'sim-small', deployment: 'simulated@local' });
    expect(receipt.amount).toBeGreaterThan(0n);
    expect(response.headers.get('payment-receipt')).not.toBeNull();
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  it('sells a streamed call: receipt before [DONE], the payment receipt after it', async () => {
    const text = await (await pay({ body: chatBody({ stream: true }) })).text();
    const at = (part: string) => text.indexOf(part);
    expect(at('\n: autopay-receipt ')).toBeGreaterThan(0);
    expect(at('data: [DONE]')).toBeGreaterThan(at(': autopay-receipt '));
    expect(at('event: payment-receipt')).toBeGreaterThan(at('data: [DONE]'));
    expect(text).not.toContain('"usage"');
    const receipt = readReceipt(/^: autopay-receipt (\S+)$/m.exec(text)?.[1]);
    expect(receipt.sequence).toBe(2);
  });

  it('asks for payment in headers that every proxy lets through', async () => {
    const { headers, status } = await payer.post(chatBody(), { origin: 'https://chat.example' });
    expect(status).toBe(402);
    const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
    expect(Buffer.byteLength(`HTTP/1.1 402 Payment Required\r\n${lines.join('')}\r\n`)).toBeLessThanOrEqual(4_096);
  });

  it('answers a free route without payment, with a receipt of nothing', async () => {
    const response = await payer.post(chatBody({ model: 'sim-free' }), { authorization: 'Bearer unused' });
    expect(response.status).toBe(200);
    expect(readReceipt(response.headers.get('x-autopay-receipt'))).toMatchObject({ amount: 0n, sequence: 0 });
  });

  it('passes an upstream’s error on in OpenAI’s shape, uncharged', async () => {
    const response = await pay({ body: chatBody({ model: 'sim-broken' }) });
    expect(response.status).toBe(500);
    expect((await readError(response)).error).toMatchObject({ message: expect.any(String), type: expect.any(String) });
    expect(response.headers.get('x-autopay-receipt')).toBeNull();
    const next = await pay();
    expect(readReceipt(next.headers.get('x-autopay-receipt'))).toMatchObject({ sequence: 3 });
  });

  it('sends a call where a rule says, and says which rule it was', async () => {
    const messages = [{ role: 'user', content: 'Please check this contract.' }];
    const ruled = await payer.post(chatBody({ model: 'sim-auto', messages }));
    expect(ruled.status).toBe(200);
    expect(ruled.headers.get('x-autopay-rule')).toBe('legal_docs');
    expect(ruled.headers.get('x-autopay-route')).toBe('sim-free');
    // Without it the name stands for a model that costs.
    expect((await payer.post(chatBody({ model: 'sim-auto' }))).status).toBe(402);
  });

  it('falls back to another model, which is charged at its own price and told in the list of models', async () => {
    const { channelId: own } = await stack.openChannel({ deposit });
    const body = chatBody({ model: 'sim-backed' });
    const answer = await payer.pay({ channelId: own, cumulativeAmount: 2_000n, body });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-autopay-route')).toBe('sim-small');
    const { entry } = decodeSignedReceipt(answer.headers.get('x-autopay-receipt') ?? '');
    const { amount, modelAsked, usage } = decodeReceipt(entry);
    expect(modelAsked).toBe('sim-small');
    expect(amount).toBe((15n * BigInt(usage.prompt) + 60n * BigInt(usage.completion) + 99n) / 100n);
    const models = (await (await fetch(`${relay.url}/v1/models`)).json()) as { data: { id: string }[] };
    const listed = new Map(models.data.map((model) => [model.id, model]));
    expect(listed.get('sim-backed')).toMatchObject({ answered_by: ['sim-small'] });
    expect(listed.get('sim-auto')).toMatchObject({ answered_by: ['sim-free', 'sim-small'], free: false, pricing: [] });
  });

  it('admits an "open" credential: the channel is known from then on, a voucher of nothing does not pay', async () => {
    const opened = await stack.openChannel({ deposit });
    const challenge = await payer.challenge();
    const authorization = payer.authorization({ challenge, channelId: opened.channelId, cumulativeAmount: 0n });
    const { payload } = JSON.parse(Buffer.from(authorization.slice(8), 'base64url').toString()) as { payload: object };
    const credential = {
      challenge,
      payload: { ...payload, action: 'open', type: 'hash', hash: opened.transactionHash, salt: opened.salt },
    };
    const encoded = Buffer.from(JSON.stringify(credential)).toString('base64url');
    const response = await payer.post(chatBody(), { authorization: `Payment ${encoded}` });
    const refusal = await readError(response);
    expect(refusal).toMatchObject({ status: 402, code: 'insufficient_headroom' });
    const required = BigInt(String(refusal.error['requiredCumulative']));
    const paid = await payer.pay({ channelId: opened.channelId, cumulativeAmount: required });
    expect(paid.status).toBe(200);
  });
});

describe('bad input', () => {
  it.each<[string, number, string, () => Promise<Response>]>([
    ['malformed JSON', 400, 'invalid_json', () => pay({ body: '{"model": ' })],
    ['a body that is no object', 400, 'invalid_json', () => pay({ body: '[]' })],
    ['an unknown model', 404, 'model_not_found', () => pay({ body: chatBody({ model: 'nope' }) })],
    ['a wrong type', 400, 'invalid_request', () => pay({ body: chatBody({ messages: 'hi' }) })],
    ['a limit of nothing', 400, 'invalid_request', () => pay({ body: chatBody({ max_tokens: 0 }) })],
    ['a key twice', 400, 'duplicate_key', () => pay({ body: chatBody().replace('{', '{"model":"sim-free",') })],
    [
      'what tokens do not bound',
      400,
      'unsupported_parameter',
      () => pay({ body: chatBody({ web_search_options: {} }) }),
    ],
    ['an over-long body', 413, 'body_too_large', () => payer.post(chatBody({ user: 'x'.repeat(70_000) }))],
    ['a far over-long body', 413, 'body_too_large', () => payer.post(chatBody({ user: 'x'.repeat(2 ** 20) }))],
    ['another content type', 415, 'unsupported_media_type', () => payer.post('x', { 'content-type': 'text/plain' })],
    ['no payment', 402, 'payment_required', () => payer.post(chatBody())],
    [
      'a bearer token in place of payment',
      402,
      'payment_required',
      () => payer.post(chatBody(), { authorization: 'Bearer x' }),
    ],
    [
      'a malformed credential',
      402,
      'malformed_credential',
      () => payer.post(chatBody(), { authorization: 'Payment !' }),
    ],
    ['a foreign challenge', 402, 'challenge_invalid', () => payWith({ challenge: { id: 'AAAA' } })],
    [
      'a changed challenge',
      402,
      'challenge_invalid',
      () => payWith({ challenge: { expires: '2099-01-01T00:00:00Z' } }),
    ],
    ['a signature of a stranger', 402, 'signer_mismatch', () => payWith({ signer: stranger })],
    ['a signature of nobody', 402, 'invalid_signature', () => payWith({ signature: `0x${'00'.repeat(65)}` })],
    ['an unknown channel', 410, 'channel_not_found', () => payWith({ channelId: `0x${'12'.repeat(32)}` })],
    ['a voucher beyond the deposit', 402, 'amount_exceeds_deposit', () => payWith({ cumulativeAmount: deposit + 1n })],
  ])('%s: %i %s, nothing charged', async (_, status, code, send) => {
    const before = await chargedSoFar();
    const response = await send();
    const refusal = await readError(response);
    expect(refusal).toMatchObject({ status, code, callId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    if (status === 402) {
      expect(response.headers.get('www-authenticate')).toMatch(/^Payment id="/);
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(refusal.error).toMatchObject({
        quote: expect.stringMatching(/^[0-9]+$/),
        symbol: 'USDC',
        recipient: stack.contracts.autoPayLLM,
        escrow: stack.contracts.paymentChannels,
        chainId: 31337,
      });
    }
    expect(await chargedSoFar()).toBe(before);
  });

  it('a voucher below what was spent: 402 insufficient_headroom, naming the one that would do', async () => {
    const { channelId: fresh } = await stack.openChannel({ deposit });
    const { error } = await readError(await payWith({ channelId: fresh, cumulativeAmount: 1n }));
    const first = await payWith({ channelId: fresh, cumulativeAmount: BigInt(String(error['requiredCumulative'])) });
    expect(first.status).toBe(200);
    const refusal = await readError(await payWith({ channelId: fresh, cumulativeAmount: 2n }));
    const { runningTotal } = decodeReceipt(decodeSignedReceipt(first.headers.get('x-autopay-receipt') ?? '').entry);
    expect(refusal).toMatchObject({ status: 402, code: 'insufficient_headroom' });
    expect(refusal.error).toMatchObject({ spent: runningTotal.toString(), reserved: '0', quote: error['quote'] });
    expect(refusal.error['requiredCumulative']).toBe((runningTotal + BigInt(String(error['quote']))).toString());
  });

  it('a channel of another payee: 402 channel_wrong_payee', async () => {
    const foreign = await payer.openChannel({ deposit: 1000n, payee: stack.payer });
    expect(await readError(await payWith({ channelId: foreign }))).toMatchObject({
      status: 402,
      code: 'channel_wrong_payee',
    });
  });

  it('a channel whose payer wants to close it: 402 channel_closing', async () => {
    const { channelId: closing } = await stack.openChannel({ deposit });
    await stack.sendAsPayer({ functionName: 'requestClose', args: [closing] });
    expect(await readError(await payWith({ channelId: closing }))).toMatchObject({
      status: 402,
      code: 'channel_closing',
    });
  });

  it('a voucher used twice: 409 voucher_already_used, naming the call; a problem, not to be retried', async () => {
    const cumulativeAmount = nextVoucher();
    const first = await pay({ cumulativeAmount });
    readReceipt(first.headers.get('x-autopay-receipt'));
    const before = await chargedSoFar();
    const second = await pay({ cumulativeAmount });
    expect(second.headers.get('content-type')).toBe('application/problem+json');
    expect(second.headers.get('x-should-retry')).toBe('false');
    const refusal = await readError(second);
    expect(refusal).toMatchObject({
      status: 409,
      code: 'voucher_already_used',
      type: 'https://paymentauth.org/problems/session/delta-too-small',
      error: { callId: first.headers.get('x-autopay-call-id') },
    });
    expect(await chargedSoFar()).toBe(before);
  });

  it.each([
    ['JSON', chatBody()],
    ['a stream', chatBody({ stream: true })],
  ])('a request with an Idempotency-Key, sent again: the same answer, one charge (%s)', async (_, body) => {
    const cumulativeAmount = nextVoucher();
    const challenge = await payer.challenge();
    const send = async (options: { cumulativeAmount: bigint; body?: string }) => {
      const authorization = payer.authorization({ challenge, channelId, ...options });
      const response = await payer.post(options.body ?? body, { authorization, 'idempotency-key': `of ${body}` });
      const { headers, status } = response;
      const replayed = headers.get('idempotent-replayed');
      return { status, replayed, callId: headers.get('x-autopay-call-id'), headers, text: await response.text() };
    };
    const first = await send({ cumulativeAmount });
    expect([first.status, first.replayed]).toEqual([200, null]);
    const receiptOf = ({ headers, text }: typeof first) =>
      headers.get('x-autopay-receipt') ?? /^: autopay-receipt (\S+)$/m.exec(text)?.[1];
    const { runningTotal } = readReceipt(receiptOf(first));
    // By the same voucher, after a lost answer; or by a new one, which stays unused.
    const unused = nextVoucher();
    for (const amount of [cumulativeAmount, unused]) {
      const again = await send({ cumulativeAmount: amount });
      expect(again).toMatchObject({ status: 200, replayed: 'true', callId: first.callId });
      expect(receiptOf(again)).toBe(receiptOf(first));
      expect(again.text.split('data: [DONE]')[0]).toBe(first.text.split('data: [DONE]')[0]);
      expect(again.headers.has('payment-receipt')).toBe(first.headers.has('payment-receipt'));
    }
    const other = await send({ cumulativeAmount: unused, body: chatBody({ user: 'other' }) });
    expect([other.status, JSON.parse(other.text)]).toMatchObject([422, { error: { code: 'idempotency_mismatch' } }]);
    const next = await pay({ cumulativeAmount: unused });
    const { amount, runningTotal: after } = readReceipt(next.headers.get('x-autopay-receipt'));
    expect(after).toBe(runningTotal + amount);
  });

  it('a voucher used twice at one time pays for one call', async () => {
    const cumulativeAmount = nextVoucher();
    const challenge = await payer.challenge();
    const both = await Promise.all([1, 2].map(() => payer.pay({ channelId, cumulativeAmount, challenge })));
    expect(both.map((response) => response.status).sort()).toEqual([200, 409]);
  });

  interface Variation {
    challenge?: Record<string, string>;
    signer?: RawPayer;
    signature?: Hex;
    channelId?: Hex;
    cumulativeAmount?: bigint;
    body?: string;
  }
  async function payWith(variation: Variation): Promise<Response> {
    const challenge = { ...(await payer.challenge()), ...variation.challenge };
    const of = { channelId, cumulativeAmount: nextVoucher(), ...variation };
    const signature = of.signature ?? (of.signer ?? payer).sign(of.channelId, of.cumulativeAmount);
    const { channelId: id, cumulativeAmount } = of;
    return payer.pay({ channelId: id, cumulativeAmount, challenge, signature, body: of.body ?? chatBody() });
  }

  async function chargedSoFar(): Promise<unknown> {
    // Beyond any deposit, so the refusal tells without buying anything.
    const body = chatBody({ max_tokens: 16_384, n: 128 });
    return (await readError(await payWith({ body }))).error['spent'];
  }
});

describe('the operator', () => {
  it('is known by the token only', async () => {
    expect(await readError(await operator('jobs/anchor', 'wrong'))).toMatchObject({ status: 403, code: 'forbidden' });
    expect(await readError(await operator('jobs/nothing'))).toMatchObject({ status: 404, code: 'not_found' });
    const receipt = await fetch(`${relay.url}/v1/audit/receipts/${'0'.repeat(36)}`);
    expect(await readError(receipt)).toMatchObject({ status: 401, code: 'login_required' });
  });

  // What is anchored is in e2e tests: from the first anchor on, no relay with books of its own could start here.
  it('collects, and fetches any receipt', async () => {
    const call = await pay();
    const callId = call.headers.get('x-autopay-call-id') ?? '';
    // The watcher may have collected a moment before, because a payer asked to close; then there is nothing left to do.
    expect(await (await operator('jobs/collect')).json()).toMatchObject({ collected: expect.any(Array) });
    const client = createChainClient({ rpcUrl: stack.chain.rpcUrl, chainId: 31337 });
    const { usdc, autoPayLLM } = stack.contracts;
    const usdcToken = { address: usdc, abi: fiatTokenAbi } as const;
    const held = await client.readContract({ ...usdcToken, functionName: 'balanceOf', args: [autoPayLLM] });
    expect(held).toBeGreaterThan(0n);

    const headers = { authorization: `Bearer ${operatorToken}` };
    const stored = await fetch(`${relay.url}/v1/audit/receipts/${callId}`, { headers });
    const { signedReceipt, receipt } = (await stored.json()) as { signedReceipt: string; receipt: { amount: string } };
    expect(signedReceipt).toBe(call.headers.get('x-autopay-receipt'));
    expect(receipt.amount).toBe(readReceipt(signedReceipt).amount.toString());
  });
});

describe('a relay that cannot start', () => {
  const refuse = (folder: string, port = 0) =>
    startRelay({ dataDir: folder, port, log }).catch((error: unknown) => error);

  it('says which setting does not fit the chain', async () => {
    expect(await refuse(await folderWith(configText({ chainId: 10 })))).toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('chain.id is 10, but chain.rpcUrl is on chain 31337'),
    });
    expect(await refuse(await folderWith(configText({ autoPayLLM: `0x${'12'.repeat(20)}` })))).toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('no contract at contracts.autoPayLLM'),
    });
    expect(await refuse(await folderWith(configText(), toHex(randomBytes(32))))).toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('lacks RELAY_ROLE'),
    });
  });

  it('refuses a key that others may read, a folder in use, and a port that is taken, leaving nothing behind', async () => {
    const folder = await folderWith(configText());
    await chmod(join(folder, 'keys/relay.key'), 0o644);
    expect(await refuse(folder)).toMatchObject({ code: 'key_file_unsafe' });
    expect(await refuse(dataDir)).toMatchObject({ code: 'data_dir_locked' });
    await chmod(join(folder, 'keys/relay.key'), 0o600);
    expect(await refuse(folder, Number(new URL(relay.url).port))).toMatchObject({ code: 'port_taken' });
    // The lock of the attempt that failed is gone.
    const second = await startRelay({ dataDir: folder, port: await findFreePort(), log });
    await second.close();
  });
});

describe('the relay process', () => {
  const root = join(import.meta.dirname, '..');
  it.each([
    ['node server/main.ts', ['server/main.ts'], 'SIGTERM'],
    ['autopay relay', ['cli/main.ts', 'relay'], 'SIGINT'],
  ] as const)('%s says where it listens, and exits with 0 when told to stop', async (_, command, signal) => {
    const folder = await mkdtemp(join(dataDir, 'process-'));
    await mkdir(join(folder, 'keys'));
    await writeFile(join(folder, 'keys/relay.key'), toHex(stack.relayKey), { mode: 0o600 });
    await writeFile(join(folder, 'autopay.yaml'), configText());
    const child = spawn(process.execPath, [...command, '--data-dir', folder, '--port', '0'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = once(child, 'exit');
    let logged = '';
    child.stderr.on('data', (chunk: Buffer) => (logged += chunk.toString()));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const ready = JSON.parse(line.toString()) as { listening: string; relay: string };
    expect(ready.relay).toBe(stack.relay);
    expect((await fetch(`${ready.listening}/healthz`)).status).toBe(200);
    child.kill('SIGHUP');
    await vi.waitFor(() => expect(logged).toContain('the configuration was read again'), 10_000);
    child.kill(signal);
    expect(await exited, logged).toEqual([0, null]);
    const lines = logged
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { msg: string });
    expect(lines.at(-1)?.msg).toBe('the relay has stopped');
  });

  it('is not ended by SIGHUP while it starts, and by a second SIGINT at once, with its books whole', async () => {
    const folder = await folderWith(configText().replace('model: sim-free }', 'model: "sim-free?tps=1&tokens=16" }'));
    const open = () => spawn(process.execPath, ['server/main.ts', '--data-dir', folder, '--port', '0'], { cwd: root });
    const child = open();
    let isListening = false;
    child.stdout.once('data', () => (isListening = true));
    const listening = once(child.stdout, 'data') as Promise<[Buffer]>;
    // proc(5): the signals that are caught, SIGHUP being the lowest bit.
    const catchesHangup = async () => {
      const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8');
      return Number.parseInt(/^SigCgt:.*(.)$/m.exec(status)?.[1] ?? '0', 16) % 2 === 1;
    };
    await vi.waitFor(async () => expect(await catchesHangup()).toBe(true), { timeout: 20_000, interval: 2 });
    expect(isListening).toBe(false);
    child.kill('SIGHUP');
    const [line] = await listening;
    const { listening: url } = JSON.parse(line.toString()) as { listening: string };
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chatBody({ model: 'sim-free', stream: true }),
    });
    const broken = response.text().catch(() => 'cut');
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    await vi.waitFor(async () => expect((await fetch(`${url}/healthz`).catch(() => null))?.ok).not.toBe(true), 10_000);
    child.kill('SIGINT');
    expect(await exited).toEqual([1, null]);
    expect(await broken).not.toContain('[DONE]');
    const books = new DatabaseSync(join(folder, 'ledger.sqlite'), { readOnly: true });
    expect(books.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    books.close();
    const again = await startRelay({ dataDir: folder, port: 0, log });
    await again.close();
  });

  it('explains itself, and refuses what it does not understand', async () => {
    const run = async (...args: string[]) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args]);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const [exitCode] = (await once(child, 'close')) as [number];
      return { exitCode, output };
    };
    const results = await Promise.all([
      run('--help'),
      run(),
      run('--data-dir', '/nowhere', '--port', 'x'),
      run('--data-dir', '/nowhere'),
    ]);
    expect(results[0]).toEqual({ exitCode: 0, output: expect.stringContaining('Usage: node server/main.ts') });
    expect(results[1]).toEqual({ exitCode: 2, output: expect.stringContaining('--data-dir is missing') });
    expect(results[2]).toEqual({ exitCode: 2, output: expect.stringContaining('--port has to be') });
    expect(results[3]).toEqual({ exitCode: 1, output: expect.stringContaining('invalid_configuration: Cannot read') });
  }, 60_000);
});

describe('a relay that stops', () => {
  it('finishes the stream under way and admits nothing new', async () => {
    const folder = await folderWith(configText().replace('model: sim-free }', 'model: "sim-free?tps=20&tokens=16" }'));
    const stopping = await startRelay({ dataDir: folder, port: 0, log });
    const url = `${stopping.url}/v1/chat/completions`;
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chatBody({ model: 'sim-free', stream: true }),
    };
    const response = await fetch(url, init);
    const closed = stopping.close();
    await expect(fetch(url, init)).rejects.toThrow();
    expect(await response.text()).toContain('data: [DONE]');
    await closed;
  });
});

describe('a relay whose model has a budget', () => {
  /** What 100 atomic units of USDC count, at 100 AGPT per USDC. */
  const limitAgpt = 10n ** 16n;
  const dayMs = 86_400_000;
  afterEach(() => {
    vi.useRealTimers();
  });

  it('sells until the vote’s limit is reached, and then refuses that model alone', async () => {
    const { timelock, modelBudgets } = stack.contracts;
    const vote = { functionName: 'setModelBudget', args: ['sim-small', limitAgpt] } as const;
    const data = encodeFunctionData({ abi: modelBudgetsAbi, ...vote });
    await sendAs(stack.chain, { from: timelock, to: modelBudgets, data });
    // The vote holds from the next day on, and the relay goes by its own clock.
    const tomorrow = Math.floor(Date.now() / dayMs) + 1;
    vi.useFakeTimers({ toFake: ['Date'], now: (tomorrow + 0.5) * dayMs });
    const budgeted = await startRelay({ dataDir: await folderWith(configText()), port: 0, log });
    try {
      const buyer = new RawPayer({ ...payer.scope, relayUrl: budgeted.url }, toHex(stack.payerKey));
      const channel = await buyer.openChannel({ deposit });
      let [cumulativeAmount, charged] = [0n, 0n];
      const buy = (body = chatBody()) =>
        buyer.pay({ channelId: channel, cumulativeAmount: (cumulativeAmount += 2_000n), body });
      let response = await buy();
      for (let call = 1; response.ok && call < 100; call += 1) {
        const receipt = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
        charged += receipt.amount;
        response = await buy();
      }
      expect(charged).toBeGreaterThan(0n);
      expect([response.status, response.headers.get('x-should-retry')]).toEqual([429, 'false']);
      const { error } = (await response.json()) as { error: Record<string, string> };
      expect(error).toMatchObject({
        code: 'model_budget_exceeded',
        model: 'sim-small',
        day: tomorrow,
        limitAgpt: String(limitAgpt),
        spentAgpt: String(charged * 10n ** 14n),
        reservedAgpt: '0',
        resetsAt: new Date((tomorrow + 1) * dayMs).toISOString(),
      });
      expect(BigInt(error['spentAgpt'] ?? 0) + BigInt(error['quoteAgpt'] ?? 0)).toBeGreaterThan(limitAgpt);
      // Another model has its own budget: its provider is asked, and fails. A free one needs none.
      expect((await buy(chatBody({ model: 'sim-broken' }))).status).toBe(500);
      expect((await buyer.post(chatBody({ model: 'sim-free' }))).status).toBe(200);
    } finally {
      await budgeted.close();
    }
  });
});
