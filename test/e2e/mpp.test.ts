import { Receipt } from 'mppx';
import { Mppx, evm } from 'mppx/client';
import OpenAI from 'openai';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { MppPayer, sessionReceiptOf } from '../support/mpp-payer.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const failing = 'sim-small?fault=status:500';
const slow = 'sim-small?tps=20&tokens=40';
const usdc = (whole: number) => BigInt(whole) * 1_000_000n;
/** Enough for any call of these tests. */
const enough = 100_000n;

let stack: TestStack;
beforeAll(async () => {
  const payment = { slices: { outputTokens: 10, waitSeconds: 2 } };
  stack = await startTestStack({ extraRoutes: [failing, slow], config: { payment } });
}, 180_000);
afterAll(() => stack.stop());

const newPayer = () =>
  MppPayer.create(stack.payer.scope, { funder: stack.payFetchOptions.privateKey, usdcAtomic: usdc(20) });
const receiptOf = (response: Response) =>
  decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
const problemOf = async (response: Response) =>
  (await response.json()) as { type: string; error: { code: string; [fact: string]: unknown } };

/** A payer with an open channel of 5 USDC. */
async function open(): Promise<{ payer: MppPayer; channelId: Hex }> {
  const payer = await newPayer();
  const { channelId, deposit } = payer.opening(usdc(5));
  const { signature: voucherSignature, cumulativeAmount } = payer.voucher(channelId, 0n);
  const response = await payer.head({ action: 'open', channelId, ...deposit, cumulativeAmount, voucherSignature });
  expect(response.status).toBe(200);
  return { payer, channelId };
}

async function booksAgree(): Promise<void> {
  await stack.runJob('collect');
  await stack.runJob('anchor');
  const { claims } = await checkBooks(stack.fsckOptions);
  expect(claims.filter(({ ok }) => !ok)).toEqual([]);
}

describe('a session of a wallet without ether', () => {
  it('opens by authorization with its first call, and the relay pays the fee', async () => {
    const payer = await newPayer();
    const { channelId, deposit } = payer.opening(usdc(5));
    const { signature: voucherSignature, cumulativeAmount } = payer.voucher(channelId, enough);
    const payload = { action: 'open', channelId, ...deposit, cumulativeAmount, voucherSignature };
    const response = await payer.call(payload);
    expect(response.status).toBe(200);
    expect(receiptOf(response)).toMatchObject({ channelId, sequence: 1, payer: payer.address.toLowerCase() });
    const { amount } = receiptOf(response);
    expect(sessionReceiptOf(response)).toMatchObject({
      ...{ channelId, acceptedCumulative: `${enough}`, spent: `${amount}` },
    });
    expect(await payer.onChain(channelId)).toMatchObject({ payer: payer.address, deposit: usdc(5) });
    expect([await payer.gas(), await payer.balance()]).toEqual([0n, usdc(15)]);
    // The same credential again has used its voucher up, and opens nothing more.
    const again = await payer.call(payload);
    expect([again.status, (await problemOf(again)).error.code]).toEqual([409, 'voucher_already_used']);
    expect(await payer.balance()).toBe(usdc(15));
  });

  it('opens once, though the same request comes 20 times at once', async () => {
    const payer = await newPayer();
    const { channelId, deposit } = payer.opening(usdc(5));
    const { signature: voucherSignature, cumulativeAmount } = payer.voucher(channelId, enough);
    const payload = { action: 'open', channelId, ...deposit, cumulativeAmount, voucherSignature };
    const answers = await Promise.all(Array.from({ length: 20 }, () => payer.call(payload)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, ...Array<number>(19).fill(409)]);
    expect(await payer.balance()).toBe(usdc(15));
  });

  it('opens and tops up with a voucher, in one round trip each', async () => {
    const payer = await newPayer();
    const { channelId, deposit } = payer.opening(usdc(1));
    const opened = await payer.call({
      action: 'voucher',
      ...payer.voucher(channelId, enough),
      deposit: { action: 'open', ...deposit },
    });
    expect(opened.status).toBe(200);
    const more = { action: 'topUp', ...payer.toppingUp(channelId, usdc(2)) };
    const toppedUp = await payer.call({ action: 'voucher', ...payer.voucher(channelId, usdc(2)), deposit: more });
    expect([toppedUp.status, receiptOf(toppedUp).sequence]).toEqual([200, 2]);
    expect(await payer.onChain(channelId)).toMatchObject({ deposit: usdc(3) });
    expect(await payer.gas()).toBe(0n);
  });

  it('tops up by HEAD, many times at once but once on the chain', async () => {
    const { payer, channelId } = await open();
    const payload = {
      action: 'topUp',
      channelId,
      additionalDeposit: `${usdc(2)}`,
      ...payer.toppingUp(channelId, usdc(2)),
    };
    const answers = await Promise.all(Array.from({ length: 10 }, () => payer.head(payload)));
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(10).fill(200));
    expect(await payer.onChain(channelId)).toMatchObject({ deposit: usdc(7) });
    expect(await payer.balance()).toBe(usdc(13));
  });

  it('sends vouchers ahead by HEAD; what is wrong is told in a header', async () => {
    const { payer, channelId } = await open();
    const voucher = { action: 'voucher', ...payer.voucher(channelId, 2n * enough) };
    const accepted = await payer.head(voucher);
    expect([accepted.status, accepted.headers.get('cache-control')]).toEqual([200, 'private, no-store']);
    expect(sessionReceiptOf(accepted)).toMatchObject({ channelId, acceptedCumulative: `${2n * enough}`, spent: '0' });
    // A lower one is no error, and lowers nothing (draft, "Idempotency").
    const lower = await payer.head({ action: 'voucher', ...payer.voucher(channelId, enough) });
    expect(sessionReceiptOf(lower)).toMatchObject({ acceptedCumulative: `${2n * enough}` });
    // By POST without a body it is the same.
    const challenge = await payer.challenge();
    const authorization = payer.authorization({ challenge, channelId, cumulativeAmount: 3n * enough });
    const posted = await payer.post('', { authorization });
    expect([posted.status, await posted.text()]).toEqual([200, '']);
    expect(sessionReceiptOf(posted)).toMatchObject({ acceptedCumulative: `${3n * enough}` });
    const beyond = await payer.head({ action: 'voucher', ...payer.voucher(channelId, usdc(6)) });
    expect([beyond.status, beyond.headers.get('x-autopay-error-code')]).toEqual([402, 'amount_exceeds_deposit']);
    const forged = await payer.head({ ...voucher, signature: stack.payer.sign(channelId, 2n * enough) });
    expect(forged.headers.get('x-autopay-error-code')).toBe('signer_mismatch');
    expect(forged.headers.has('payment-receipt')).toBe(false);
    const bare = await fetch(`${stack.stack.relayUrl}/v1/chat/completions`, { method: 'HEAD' });
    expect([bare.status, bare.headers.get('x-autopay-error-code')]).toEqual([402, 'payment_required']);
    expect(parseChallenges(bare.headers.get('www-authenticate') ?? '')).not.toEqual([]);
  });

  it('is closed for the payer: it gets back what it did not spend, and the relay what was charged', async () => {
    const { payer, channelId } = await open();
    const called = await payer.call({ action: 'voucher', ...payer.voucher(channelId, enough) });
    const { amount } = receiptOf(called);
    expect(amount).toBeGreaterThan(0n);
    const close = { action: 'close', ...payer.voucher(channelId, enough) };
    const closed = await Promise.all([payer.head(close), payer.head(close), payer.head(close)]);
    expect(closed.map(({ status }) => status)).toEqual([200, 200, 200]);
    const receipts = closed.map(sessionReceiptOf);
    expect(new Set(receipts.map(({ txHash }) => txHash)).size).toBe(1);
    expect(receipts[0]).toMatchObject({
      channelId,
      spent: `${amount}`,
      txHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    });
    // The voucher allowed more than was charged; more is not taken.
    expect(await payer.onChain(channelId)).toMatchObject({ finalized: true, settled: amount });
    expect([await payer.balance(), await payer.gas()]).toEqual([usdc(20) - amount, 0n]);
    const late = await payer.call({ action: 'voucher', ...payer.voucher(channelId, 2n * enough) });
    const problem = await problemOf(late);
    expect([late.status, problem.error.code]).toEqual([410, 'channel_finalized']);
    expect(problem.type).toBe('https://paymentauth.org/problems/session/channel-finalized');
    await booksAgree();
  });

  it('is closed without having been used', async () => {
    const { payer, channelId } = await open();
    const closed = await payer.head({ action: 'close', ...payer.voucher(channelId, 0n) });
    expect([closed.status, sessionReceiptOf(closed).spent]).toEqual([200, '0']);
    expect(await payer.balance()).toBe(usdc(20));
    await booksAgree();
  });

  it('is not closed under a call', async () => {
    const { payer, channelId } = await open();
    const body = chatBody({ model: slow, stream: true, max_tokens: 40 });
    const streaming = await payer.call({ action: 'voucher', ...payer.voucher(channelId, enough) }, body);
    const close = { action: 'close', ...payer.voucher(channelId, enough) };
    const refused = await payer.head(close);
    expect([refused.status, refused.headers.get('x-autopay-error-code')]).toEqual([409, 'channel_in_use']);
    await streaming.text();
    expect((await payer.head(close)).status).toBe(200);
  });
});

const url = () => `${stack.stack.relayUrl}/v1/chat/completions`;
const ordering = (body: object, headers: Record<string, string> = {}): RequestInit => ({
  ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) },
});

/** The events of a stream, whole, as they come. */
async function* eventsOf(response: Response): AsyncGenerator<string> {
  let text = '';
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    yield* events;
  }
}

describe('a wallet that signs small steps', () => {
  const body = (tokens: number) => chatBody({ model: slow, stream: true, max_tokens: tokens });

  /** Begins a stream of 40 tokens with a voucher for its prompt and some of them. */
  async function begin() {
    const { payer, channelId } = await open();
    const offer = await payer.post(body(15));
    const { error } = (await offer.json()) as { error: { quote: string } };
    const first = BigInt(error.quote);
    const response = await payer.call({ action: 'voucher', ...payer.voucher(channelId, first) }, body(40));
    expect(response.status).toBe(200);
    return { payer, channelId, first, response };
  }

  it('is asked for the next one in the stream, and gets all of the answer for its exact cost', async () => {
    const { payer, channelId, first, response } = await begin();
    const asked: bigint[] = [];
    const events: string[] = [];
    for await (const event of eventsOf(response)) {
      events.push(event);
      if (!event.startsWith('event: payment-need-voucher\ndata: ')) continue;
      const need = JSON.parse(event.split('data: ')[1] ?? '') as { channelId: Hex; requiredCumulative: string };
      expect(need.channelId).toBe(channelId);
      asked.push(BigInt(need.requiredCumulative));
      const step = payer.voucher(channelId, BigInt(need.requiredCumulative));
      expect((await payer.head({ action: 'voucher', ...step })).status).toBe(200);
    }
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(asked.every((amount, at) => amount > (asked[at - 1] ?? first))).toBe(true);
    expect(events).toContain('data: [DONE]');
    const comment = events.find((event) => event.startsWith(': autopay-receipt ')) ?? '';
    const receipt = decodeReceipt(decodeSignedReceipt(comment.split(' ')[2] ?? '').entry);
    expect(receipt).toMatchObject({ channelId, usageKind: 'exact' });
    expect(receipt.amount).toBeLessThanOrEqual(asked.at(-1) ?? 0n);
    await booksAgree();
  });

  it('pays for what it got if it does not sign on, and the stream does not pretend to be whole', async () => {
    const { channelId, first, response } = await begin();
    const events: string[] = [];
    await (async () => {
      for await (const event of eventsOf(response)) events.push(event);
    })().catch(() => undefined);
    expect(events.filter((event) => event.startsWith('event: payment-need-voucher'))).toHaveLength(1);
    expect(events).not.toContain('data: [DONE]');
    expect(events.at(-1)).toContain('"code":"voucher_missing"');
    const comment = events.find((event) => event.startsWith(': autopay-receipt ')) ?? '';
    const receipt = decodeReceipt(decodeSignedReceipt(comment.split(' ')[2] ?? '').entry);
    expect(receipt).toMatchObject({ channelId, usageKind: 'estimated' });
    expect(receipt.amount).toBeGreaterThan(0n);
    expect(receipt.amount).toBeLessThanOrEqual(first);
    await booksAgree();
  });

  it('may prefer to be refused', async () => {
    const { payer, channelId } = await open();
    const challenge = await payer.challenge(body(40));
    const authorization = payer.authorization({ challenge, channelId, cumulativeAmount: 30n });
    const refused = await payer.post(body(40), { authorization, prefer: 'handling=strict' });
    expect([refused.status, (await problemOf(refused)).error.code]).toEqual([402, 'insufficient_headroom']);
  });
});

/** Unmodified `mppx`, which knows nothing of this relay but its URL. */
function mppxFetch(payer: MppPayer, underlying: typeof fetch = fetch): typeof fetch {
  const methods = [
    evm({
      account: privateKeyToAccount(payer.privateKey),
      authorization: { name: 'USD Coin', version: '2' },
      ...{ currencies: [payer.scope.token], networks: [payer.scope.chainId], decimals: 6, maxAmount: '1' },
    }),
  ];
  return Mppx.create({ polyfill: false, methods, fetch: underlying }).fetch;
}

/** The same, with the credentials that it sent. */
function recordingFetch(payer: MppPayer): { pay: typeof fetch; sent: string[] } {
  const sent: string[] = [];
  const pay = mppxFetch(payer, (input, init) => {
    const authorization = new Headers(init?.headers).get('authorization');
    if (authorization?.startsWith('Payment ')) sent.push(authorization);
    return fetch(input, init);
  });
  return { pay, sent };
}

describe('the unmodified client of mppx', () => {
  const ask = { model: 'sim-small', messages: [{ role: 'user' as const, content: 'Hi.' }], max_tokens: 16 };
  const openaiOf = (payer: MppPayer, options: { apiKey?: string; fetch?: typeof fetch } = {}) =>
    new OpenAI({
      ...{ baseURL: `${stack.stack.relayUrl}/v1`, apiKey: 'unused', maxRetries: 0, fetch: mppxFetch(payer) },
      ...options,
    });

  it('pays for a JSON answer; what it overpaid comes back with the booking', async () => {
    const payer = await newPayer();
    const response = await mppxFetch(payer)(url(), ordering(ask));
    expect(response.status).toBe(200);
    const receipt = receiptOf(response);
    expect(receipt).toMatchObject({ payer: payer.address.toLowerCase(), channelId: zeroBytes32, sequence: 0 });
    expect(receipt.refundOwed).toBeGreaterThan(0n);
    const paid = Receipt.deserialize(response.headers.get('payment-receipt') ?? '');
    expect(paid).toMatchObject({ method: 'evm', status: 'success', chainId: 31337 });
    expect(paid.reference).toMatch(/^0x[0-9a-f]{64}$/);
    expect(await payer.balance()).toBe(usdc(20) - receipt.amount - receipt.refundOwed);
    await booksAgree();
    expect([await payer.balance(), await payer.gas()]).toEqual([usdc(20) - receipt.amount, 0n]);
  });

  it('pays for a stream of the OpenAI client, into which no named event gets', async () => {
    const payer = await newPayer();
    let raw = Promise.resolve('');
    const pay = mppxFetch(payer);
    const watching: typeof fetch = async (input, init) => {
      const response = await pay(input, init);
      raw = response.clone().text();
      return response;
    };
    const stream = await openaiOf(payer, { fetch: watching }).chat.completions.create({ ...ask, stream: true });
    let content = '';
    for await (const chunk of stream) content += chunk.choices[0]?.delta.content ?? '';
    expect(content).toContain('[simulated]');
    expect(await raw).not.toContain('event:');
    await expect.poll(() => payer.balance(), { timeout: 10_000 }).toBeLessThan(usdc(20));
    await booksAgree();
  });

  it('pays nothing for a call that failed, and its payment is good for another try', async () => {
    const payer = await newPayer();
    const { pay, sent } = recordingFetch(payer);
    const failed = await pay(url(), ordering({ ...ask, model: failing }));
    expect([failed.status, failed.headers.has('payment-receipt')]).toEqual([500, false]);
    expect(await payer.balance()).toBe(usdc(20));
    const again = await fetch(url(), ordering(ask, { authorization: sent[0] ?? '' }));
    expect([again.status, receiptOf(again).payer]).toEqual([200, payer.address.toLowerCase()]);
    expect(await payer.balance()).toBeLessThan(usdc(20));
  });

  it('may send one payment 20 times at once: it is served and taken once', async () => {
    const payer = await newPayer();
    const { pay, sent } = recordingFetch(payer);
    const first = await pay(url(), ordering(ask));
    const balance = await payer.balance();
    // Beside a bearer token it is as good.
    const headers = { authorization: 'Bearer sk-none', 'payment-authorization': sent[0] ?? '' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url(), ordering(ask, headers))));
    const text = await first.text();
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      expect(answer.headers.get('payment-receipt')).toBe(first.headers.get('payment-receipt'));
      expect(await answer.text()).toBe(text);
    }
    expect(await payer.balance()).toBe(balance);
    const other = await fetch(url(), ordering({ ...ask, max_tokens: 15 }, headers));
    const problem = await problemOf(other);
    expect([other.status, problem.error.code]).toEqual([409, 'payment_already_used']);
    expect(problem.type).toBe('https://paymentauth.org/problems/verification-failed');
  });
});
