import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodePaymentResponseHeader } from '@x402/fetch';
import OpenAI from 'openai';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { zeroBytes32 } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { decodePayment } from '../../protocol/x402/decode-payment.ts';
import { describePayment } from '../../server/settlement/payment-payload.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

const failing = 'sim-small?fault=status:500';
const slow = 'sim-small?tps=20&tokens=40';
const lateFailing = 'sim-small?latency=3000&fault=status:500';
const schemes = ['exact', 'upto'] as const;
/** USDC, atomic units, as `payment` of the configuration below says. */
const maxUnsettled = 10_000n;

let stack: TestStack;
let payer: X402Payer;
let token: Hex;

beforeAll(async () => {
  const payment = { suggestedDeposit: '0.005', maxUnsettledPercent: 200 };
  stack = await startTestStack({ extraRoutes: [failing, lateFailing, slow], config: { payment } });
  token = stack.stack.tokens['USDC']?.address ?? '0x';
  payer = payerOf(stack.payFetchOptions.privateKey);
  await payer.approvePermit2();
}, 180_000);
afterAll(() => stack.stop());

function payerOf(privateKey: Hex): X402Payer {
  return new X402Payer({ relayUrl: stack.stack.relayUrl, rpcUrl: stack.stack.rpcUrl, token, privateKey });
}

/** A wallet with USDC of its own, so that its losses are nobody else's. */
async function newPayer(usdcAtomic: bigint): Promise<X402Payer> {
  const privateKey = generatePrivateKey();
  await payer.transfer(privateKeyToAccount(privateKey).address, usdcAtomic);
  return payerOf(privateKey);
}

const receiptOf = (response: Response) =>
  decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);

/** What was signed, from the header that carries it. */
function signedIn(headers: Record<string, string>) {
  const { signed } = decodePayment('PAYMENT-SIGNATURE', headers['PAYMENT-SIGNATURE'] ?? '');
  return describePayment({ ...signed, token });
}

interface PaymentStatus {
  status: string;
  transaction: Hex | null;
  captured: string;
  charge: string;
  refundOwed: string;
}
async function statusOf(paymentId: Hex): Promise<PaymentStatus> {
  return (await (await fetch(`${stack.stack.relayUrl}/v1/payments/${paymentId}`)).json()) as PaymentStatus;
}
async function waitForStatus(paymentId: Hex, status: string): Promise<PaymentStatus> {
  for (let tries = 0; tries < 200; tries += 1) {
    const payment = await statusOf(paymentId);
    if (payment.status === status) return payment;
    await sleep(50);
  }
  throw new Error(`payment ${paymentId} did not become ${status}: ${JSON.stringify(await statusOf(paymentId))}`);
}

const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;
const health = async () =>
  (await (await fetch(`${stack.stack.relayUrl}/healthz`)).json()) as { payments: { due: number; lost: number } };
const rpc = (method: string, params: unknown[] = []) =>
  fetch(stack.stack.rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });

async function booksAgree(): Promise<void> {
  await stack.runJob('collect');
  await stack.runJob('anchor');
  const { claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter(({ ok }) => !ok)).toEqual([]);
}

describe.each(schemes)('the unmodified client of x402, scheme %s', (scheme) => {
  // Refunds of earlier tests come back before what a test counts.
  beforeEach(() => booksAgree());

  it('pays for a JSON answer; what it overpaid comes back with the booking', async () => {
    const before = await payer.balance();
    const pay = payer.fetch(scheme);
    const url = `${stack.stack.relayUrl}/v1/chat/completions`;
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: chatBody() };
    const response = await pay(url, init);
    expect(response.status).toBe(200);
    const receipt = receiptOf(response);
    expect(receipt).toMatchObject({ payer: payer.address, token, channelId: zeroBytes32, sequence: 0 });
    const settled = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '');
    expect(settled).toMatchObject({ success: true, network: 'eip155:31337', payer: payer.address });
    expect(settled.transaction).toMatch(/^0x[0-9a-f]{64}$/);
    const captured = BigInt(settled.amount ?? '');
    expect(receipt.refundOwed).toBe(captured - receipt.amount);
    if (scheme === 'exact') expect(receipt.refundOwed).toBeGreaterThan(0n);
    else expect(captured).toBe(receipt.amount);
    expect(await payer.balance()).toBe(before - captured);

    await booksAgree();
    expect(await payer.balance()).toBe(before - receipt.amount);
  });

  it('pays for a stream that no named event breaks; the settlement follows', async () => {
    const openai = new OpenAI({
      ...{ baseURL: `${stack.stack.relayUrl}/v1`, apiKey: 'a placeholder', maxRetries: 0 },
      fetch: payer.fetch(scheme),
    });
    const messages = [{ role: 'user' as const, content: 'Hi.' }];
    const stream = await openai.chat.completions.create({
      ...{ model: 'sim-small', messages, max_tokens: 16, stream: true, stream_options: { include_usage: true } },
    });
    let usage: number | undefined;
    for await (const chunk of stream) usage = chunk.usage?.total_tokens ?? usage;
    expect(usage).toBeGreaterThan(0);
    await waitForStatus(signedIn({ 'PAYMENT-SIGNATURE': payer.lastPayment }).paymentId, 'settled');
    await booksAgree();

    const before = await payer.balance();
    const body = chatBody({ stream: true });
    const headers = await payer.sign(body, scheme);
    const text = await (await payer.post(body, headers)).text();
    expect(text).not.toMatch(/^event:/m);
    expect(text).toMatch(/\n: autopay-receipt \S+\n\ndata: \[DONE\]\n\n$/);
    const [, encoded = ''] = /: autopay-receipt (\S+)/.exec(text) ?? [];
    const receipt = decodeReceipt(decodeSignedReceipt(encoded).entry);
    const settled = await waitForStatus(signedIn(headers).paymentId, 'settled');
    expect(settled).toMatchObject({ charge: receipt.amount.toString(), refundOwed: receipt.refundOwed.toString() });
    expect(await payer.balance()).toBe(before - receipt.amount - receipt.refundOwed);
    await booksAgree();
    expect(await payer.balance()).toBe(before - receipt.amount);
  });

  it('is served once and charged once by one header sent 50 times at once', async () => {
    const before = await payer.balance();
    const body = chatBody({ seed: schemes.indexOf(scheme) });
    const headers = await payer.sign(body, scheme);
    const responses = await Promise.all(Array.from({ length: 50 }, () => payer.post(body, headers)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const receipts = new Set(responses.map((response) => response.headers.get('x-autopay-receipt')));
    expect(receipts.size).toBe(1);
    expect(new Set(await Promise.all(responses.map((response) => response.text()))).size).toBe(1);
    const { captured } = await statusOf(signedIn(headers).paymentId);
    expect(await payer.balance()).toBe(before - BigInt(captured));
    // Another body with the same payment is another call, which it does not pay for.
    const other = await payer.post(chatBody({ seed: 99 }), headers);
    expect([other.status, await codeOf(other)]).toEqual([409, 'payment_already_used']);
    expect(await payer.balance()).toBe(before - BigInt(captured));
  });

  it('pays nothing where the provider fails, and its payment is still good', async () => {
    const before = await payer.balance();
    const headers = await payer.sign(chatBody({ model: failing }), scheme);
    const failed = await payer.post(chatBody({ model: failing }), headers);
    expect(failed.status).toBeGreaterThanOrEqual(500);
    const { paymentId } = signedIn(headers);
    expect(await statusOf(paymentId)).toMatchObject({ status: 'released', captured: '0' });
    expect(await payer.balance()).toBe(before);
    const again = await payer.post(chatBody(), headers);
    expect(again.status).toBe(200);
    expect(await statusOf(paymentId)).toMatchObject({ status: 'settled' });
  });
});

it('a wallet cannot sign the same money away to many streams at once', async () => {
  const body = (seed: number) => chatBody({ model: slow, stream: true, max_tokens: 40, seed });
  const poor = await newPayer(1_000_000n);
  await sendGas(poor.address);
  const signed = await Promise.all([1, 2, 3, 4, 5].map((seed) => poor.sign(body(seed), 'exact')));
  const { maximum } = signedIn(signed[0] ?? {});
  await poor.transfer(payer.address, 1_000_000n - maximum * 2n);
  const answers = await Promise.all(signed.map((headers, index) => poor.post(body(index + 1), headers)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 402, 402, 402]);
  const refused = answers.find(({ status }) => status === 402);
  expect(refused && (await codeOf(refused))).toBe('insufficient_funds');
  await Promise.all(answers.filter(({ status }) => status === 200).map((answer) => answer.text()));
  for (let tries = 0; tries < 200 && (await poor.balance()) > 0n; tries += 1) await sleep(50);
  expect(await poor.balance()).toBe(0n);
}, 60_000);

it('an Idempotency-Key keeps the answer for who knows it: the payment itself is on the chain for all to read', async () => {
  const body = chatBody({ seed: 11 });
  const headers = await payer.sign(body, 'exact');
  const key = { 'idempotency-key': 'known to the payer only' };
  const first = await payer.post(body, { ...headers, ...key });
  expect(first.status).toBe(200);
  for (const guess of [{}, { 'idempotency-key': 'a guess' }]) {
    const refused = await payer.post(body, { ...headers, ...guess });
    expect([refused.status, await codeOf(refused)]).toEqual([409, 'payment_already_used']);
  }
  const again = await payer.post(body, { ...headers, ...key });
  expect([again.status, await again.text()]).toEqual([200, await first.text()]);
});

it('what a repeat waited for failed: its payment is looked at again before it is served', async () => {
  const body = chatBody({ model: lateFailing });
  const poor = await newPayer(1_000_000n);
  await sendGas(poor.address);
  const headers = await poor.sign(body, 'exact');
  const { paymentId } = signedIn(headers);
  const first = poor.post(body, headers);
  await waitForStatus(paymentId, 'reserved');
  // Admitted without a look at the chain, because the first one has it.
  const repeat = poor.post(body, headers);
  await poor.transfer(payer.address, await poor.balance());
  expect((await first).status).toBe(500);
  const refused = await repeat;
  expect([refused.status, await codeOf(refused)]).toEqual([402, 'insufficient_funds']);
  expect(await statusOf(paymentId)).toMatchObject({ status: 'released', captured: '0' });
}, 60_000);

it('a wallet leaves no more unsettled than the relay allows, however much it holds', async () => {
  // Quoted at more than half of it, though it will cost little.
  const body = (seed: number) => chatBody({ model: slow, stream: true, max_tokens: 16_000, seed });
  const rich = await newPayer(1_000_000n);
  const signed = await Promise.all([1, 2, 3].map((seed) => rich.sign(body(seed), 'exact')));
  expect(signedIn(signed[0] ?? {}).maximum).toBeGreaterThan(maxUnsettled / 2n);
  const answers = await Promise.all(signed.map((headers, index) => rich.post(body(index + 1), headers)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 429, 429]);
  const at = answers.findIndex(({ status }) => status === 429);
  const refused = answers[at];
  expect(refused?.headers.get('retry-after')).toBe('5');
  expect(refused && (await codeOf(refused))).toBe('unsettled_limit_reached');
  const served = answers.findIndex(({ status }) => status === 200);
  await answers[served]?.text();
  await waitForStatus(signedIn(signed[served] ?? {}).paymentId, 'settled');
  const again = await rich.post(body(at + 1), signed[at]);
  expect([again.status, (await again.text()).includes('[DONE]')]).toEqual([200, true]);
}, 60_000);

describe('a settlement', () => {
  it('that is not in a block in time is pending, and the same payment fetches the answer later', async () => {
    const before = await payer.balance();
    const headers = await payer.sign(chatBody({ seed: 7 }), 'exact');
    await rpc('evm_setAutomine', [false]);
    let pending: Response;
    try {
      pending = await payer.post(chatBody({ seed: 7 }), headers);
    } finally {
      await rpc('evm_setAutomine', [true]);
      await rpc('evm_mine');
    }
    expect([pending.status, await codeOf(pending)]).toEqual([503, 'settlement_pending']);
    const answer = await payer.post(chatBody({ seed: 7 }), headers);
    expect(answer.status).toBe(200);
    const { captured } = await waitForStatus(signedIn(headers).paymentId, 'settled');
    expect(await payer.balance()).toBe(before - BigInt(captured));
  }, 60_000);

  it('that fails after delivery is a loss, and its payer is refused until it is settled', async () => {
    const poor = await newPayer(1_000_000n);
    const body = chatBody({ model: slow, stream: true, max_tokens: 40 });
    const headers = await poor.sign(body, 'exact');
    await sendGas(poor.address);
    const stream = await poor.post(body, headers);
    expect(stream.status).toBe(200);
    await poor.transfer(payer.address, await poor.balance());
    expect(await stream.text()).toContain('[DONE]');
    const { paymentId } = signedIn(headers);
    await waitForStatus(paymentId, 'lost');

    const operator = (await readFile(stack.stack.operatorTokenFile, 'utf8')).trim();
    const authorization = { authorization: `Bearer ${operator}` };
    const losses = await fetch(`${stack.stack.relayUrl}/v1/operator/losses`, { headers: authorization });
    expect(await losses.json()).toMatchObject({ losses: [{ paymentId, payer: poor.address }] });
    for (let tries = 0; tries < 100 && (await health()).payments.lost === 0; tries += 1) await sleep(100);
    expect((await health()).payments.lost).toBe(1);

    await payer.transfer(poor.address, 500_000n);
    const refused = await poor.post(chatBody(), await poor.sign(chatBody(), 'exact'));
    expect([refused.status, await codeOf(refused)]).toEqual([403, 'payer_owes']);
    // The same request with the same payment: the answer again, and now the money.
    const replay = await poor.post(body, headers);
    expect(await replay.text()).toContain('[DONE]');
    await waitForStatus(paymentId, 'settled');
    const served = await poor.post(chatBody(), await poor.sign(chatBody(), 'exact'));
    expect(served.status).toBe(200);
  }, 60_000);

  it('that somebody else has brought to the chain is attributed', async () => {
    const before = await payer.balance();
    const body = chatBody({ model: slow, stream: true, max_tokens: 40 });
    const headers = await payer.sign(body, 'exact');
    const stream = await payer.post(body, headers);
    await payer.submit(headers['PAYMENT-SIGNATURE'] ?? '');
    expect(await stream.text()).toContain('[DONE]');
    const { captured } = await waitForStatus(signedIn(headers).paymentId, 'settled');
    expect(await payer.balance()).toBe(before - BigInt(captured));
  }, 60_000);

  it('that a crash of the relay interrupts is done after the restart, once', async () => {
    // A relay that starts collects: what other payments owe back must not come in between.
    await stack.runJob('collect');
    const before = await payer.balance();
    const body = chatBody({ seed: 8, stream: true });
    const headers = await payer.sign(body, 'exact');
    const { paymentId } = signedIn(headers);
    await rpc('evm_setAutomine', [false]);
    try {
      expect(await (await payer.post(body, headers)).text()).toContain('[DONE]');
      expect((await statusOf(paymentId)).status).toBe('due');
      await stack.killRelay();
    } finally {
      await rpc('evm_setAutomine', [true]);
      await rpc('evm_mine');
    }
    await stack.startRelay();
    const { captured, charge } = await waitForStatus(paymentId, 'settled');
    // What this one owes back may have come already.
    const once = [BigInt(captured), BigInt(charge)];
    expect(once).toContain(before - (await payer.balance()));
    const replay = await payer.post(body, headers);
    expect(await replay.text()).toContain('[DONE]');
    expect(once).toContain(before - (await payer.balance()));
  }, 60_000);

  it('is no duty of a payer whom the operator forgives', async () => {
    const poor = await newPayer(1_000_000n);
    await sendGas(poor.address);
    const body = chatBody({ model: slow, stream: true, max_tokens: 40 });
    const headers = await poor.sign(body, 'exact');
    const stream = await poor.post(body, headers);
    await poor.transfer(payer.address, await poor.balance());
    await stream.text();
    const { paymentId } = signedIn(headers);
    await waitForStatus(paymentId, 'lost');
    const operator = (await readFile(stack.stack.operatorTokenFile, 'utf8')).trim();
    const url = `${stack.stack.relayUrl}/v1/operator/losses/${paymentId}/forgive`;
    const forgiven = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${operator}` } });
    expect(await forgiven.json()).toEqual({ paymentId, status: 'forgiven' });
    await payer.transfer(poor.address, 500_000n);
    const served = await poor.post(chatBody(), await poor.sign(chatBody(), 'exact'));
    expect(served.status).toBe(200);
  }, 60_000);
});

describe('x402 version 1', () => {
  it('is offered in the body and taken from X-PAYMENT', async () => {
    const required = await payer.post(chatBody());
    const { x402Version, accepts } = (await required.json()) as { x402Version: number; accepts: { asset: Hex }[] };
    expect(x402Version).toBe(1);
    expect(accepts[0]).toMatchObject({ scheme: 'exact', network: 'eip155:31337', asset: token });
    const v2 = decodePayment('', (await payer.sign(chatBody(), 'exact'))['PAYMENT-SIGNATURE'] ?? '').signed;
    const payload = {
      signature: v2.signature,
      authorization: {
        ...{ from: v2.payer, to: v2.recipient, value: v2.maximum.toString(), validAfter: v2.validAfter.toString() },
        ...{ validBefore: v2.validBefore.toString(), nonce: v2.nonce },
      },
    };
    const payment = { x402Version: 1, scheme: 'exact', network: 'eip155:31337', payload };
    const header = Buffer.from(JSON.stringify(payment)).toString('base64');
    const response = await payer.post(chatBody(), { 'x-payment': header });
    expect(response.status).toBe(200);
    const settled = decodePaymentResponseHeader(response.headers.get('x-payment-response') ?? '');
    expect(settled).toMatchObject({ success: true, network: 'eip155:31337' });
  });
});

/** Ether for the transfers of a new wallet. */
async function sendGas(to: Hex): Promise<void> {
  await rpc('hardhat_setBalance', [to, '0xde0b6b3a7640000']);
}
