import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey, recoverSigner, signDigest } from '../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../../protocol/mpp/challenge.ts';
import { parseCredential } from '../../protocol/mpp/credential.ts';
import { sessionPayloadSchema } from '../../protocol/mpp/session-schemas.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { commit } from '../../protocol/receipt/commitments.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import { voucherDigest, voucherDomainSeparator } from '../../protocol/typed-data/voucher.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import type { TestBooks } from '../ledger/test-books.ts';
import { createChannelPayer } from './pay-by-channel.ts';
import { address, answer, LogLines, nowMs, openPurchaseBooks, payable, terms, wallet } from './payer-fixture.ts';
import { createPurchaseCloser, type PurchaseCloser } from './purchase-closer.ts';
import type { Declined, PayableRequest, PaymentRequired, SignedPurchase, UpstreamPayer } from './upstream-payer.ts';

const escrow = address('e5');
const payee = address('b1');
const token = terms.token.address;
const channelId: Hex = `0x${'0c'.repeat(32)}`;
const anotherId: Hex = `0x${'0d'.repeat(32)}`;
const key = { provider: 'seller', chainId: 31_337, escrow, payer: wallet.address, token };
const relayKey = Buffer.alloc(32, 9);
const relay = addressOfPrivateKey(relayKey);

let books: TestBooks;
let ledger: PurchaseLedger;
let closer: PurchaseCloser;
let payer: UpstreamPayer;
let low: Hex[];
let isReachable: boolean;
const lines = new LogLines();

beforeEach(async () => {
  ({ books, ledger } = openPurchaseBooks());
  lines.lines.length = 0;
  low = [];
  isReachable = true;
  closer = createPurchaseCloser({ ledger, log: lines.log });
  payer = createChannelPayer({
    ...{ terms: { ...terms, maxPerDay: 1_000_000n }, escrow, wallet, ledger, closer, nowMs: () => nowMs },
    async isRelay(contract, signer) {
      if (!isReachable) throw new AutoPayError('chain_unavailable', 'gone');
      return contract === payee && signer === relay;
    },
    onLow: (whom) => void low.push(whom),
  });
  await ledger.addPurchaseChannel({ ...key, channelId, payee, saltIndex: 0, amount: 10_000n });
  await ledger.endRefill({ channelId, refill: 1, deposit: 10_000n });
});
afterEach(() => books.close());

function required(changes: object = {}): PaymentRequired {
  const methodDetails = { chainId: 31_337, escrowContract: escrow, credentialTypes: ['hash'] };
  const request = { amount: '900', currency: token, recipient: payee, methodDetails, ...changes };
  const challenge = { id: 'i', realm: 'r', method: 'evm', intent: 'session', request: encodeBase64UrlJson(request) };
  return { headers: { 'www-authenticate': formatChallenge(challenge) }, body: null };
}
async function buy(request: PayableRequest = payable()): Promise<SignedPurchase> {
  const purchase = await payer.pay(request, required());
  if ('declined' in purchase) throw new Error(purchase.declined);
  return purchase;
}
const decline = async (ask: PaymentRequired) => (await payer.pay(payable(), ask)) as Declined;

const sellerCallId = createCallId();
function receiptOf(request: PayableRequest, changes: Partial<CallReceipt> = {}, signer: Uint8Array = relayKey): string {
  const salt = Buffer.alloc(32, 1);
  const names = { modelAsked: 'm', modelServed: 'm', provider: 'p', deployment: 'p@x' };
  const usage = {
    prompt: 1,
    cachedPrompt: 0,
    cacheWrite: 0,
    audioPrompt: 0,
    completion: 1,
    reasoning: 0,
    audioCompletion: 0,
  };
  const entry = encodeReceipt({
    ...{ version: 1, callId: sellerCallId, admittedAtMs: nowMs, chargedAtMs: nowMs, payer: wallet.address, channelId },
    ...{
      sequence: 1,
      runningTotal: 500n,
      token,
      amount: 500n,
      refundOwed: 0n,
      priceRoot: zeroBytes32,
      oracleRound: 0n,
      usage,
    },
    requestCommitment: toHex(commit({ subject: 'request', salt, bytes: request.body })),
    ...{
      responseCommitment: zeroBytes32,
      attemptsDigest: zeroBytes32,
      evidenceTier: 'relay-signed',
      usageKind: 'exact',
    },
    ...names,
    ...changes,
  });
  const batch = { root: hashLeaf(entry), size: 1, signedAtMs: nowMs };
  const separator = receiptDomainSeparator({ chainId: 31_337, verifyingContract: payee });
  const signature = signDigest(receiptBatchDigest(separator, batch), signer);
  return encodeSignedReceipt({
    entry,
    index: 0,
    size: 1,
    signedAtMs: nowMs,
    path: [],
    signature,
    requestSalt: salt,
    responseSalt: salt,
  });
}
const headersOf = (receipt: string) => ({ 'x-autopay-call-id': sellerCallId, 'x-autopay-receipt': receipt });
const channel = () => ledger.findPurchaseChannel(key);
const all = () => ledger.listPurchases({ after: 0, limit: 100 });
async function read(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a voucher', () => {
  it('is signed by the wallet for the quote of the 402, after it is durable', async () => {
    const purchase = await buy();
    const credential = parseCredential(purchase.headers['authorization'] ?? '');
    const payload = sessionPayloadSchema.parse(credential?.payload);
    if (payload.action !== 'voucher') throw new Error(payload.action);
    expect(payload).toMatchObject({ channelId, cumulativeAmount: 900n });
    const digest = voucherDigest(voucherDomainSeparator({ chainId: 31_337, verifyingContract: escrow }), payload);
    expect(recoverSigner(digest, Buffer.from(payload.signature.slice(2), 'hex'))).toBe(wallet.address);
    expect(await channel()).toMatchObject({ signed: 900n, reserved: 900n });
    expect(await all()).toMatchObject([{ state: 'open', maximum: 900n, cumulative: 900n, channelId }]);
  });

  it('covers all that run at once, up to the deposit; then the channel is told to be low', async () => {
    const decisions = await Promise.all(Array.from({ length: 20 }, () => payer.pay(payable(), required())));
    const paid = decisions.filter((one): one is SignedPurchase => !('declined' in one));
    expect(paid).toHaveLength(11);
    const amounts = paid.map(({ headers }) => {
      const payload = sessionPayloadSchema.parse(parseCredential(headers['authorization'] ?? '')?.payload);
      return payload.action === 'voucher' ? payload.cumulativeAmount : 0n;
    });
    expect(amounts).toEqual(Array.from({ length: 11 }, (_, index) => 900n * BigInt(index + 1)));
    expect(low).toEqual(Array.from({ length: 9 }, () => payee));
  });

  it('is not signed above the limit, for another escrow, token or payee, or twice for an attempt', async () => {
    expect(await decline(required({ amount: '1001' }))).toMatchObject({
      declined: expect.stringContaining('one call'),
    });
    const elsewhere = { chainId: 31_337, escrowContract: address('e6') };
    expect(await decline(required({ methodDetails: elsewhere }))).toMatchObject({ facts: { otherOffers: 1 } });
    expect(await decline(required({ currency: address('dd') }))).toMatchObject({ facts: { otherOffers: 1 } });
    expect(await decline(required({ recipient: address('b2') }))).toMatchObject({ facts: { channelPayee: payee } });
    const request = payable();
    await buy(request);
    expect(await payer.pay(request, required())).toEqual({ declined: 'this attempt was paid for before' });
    expect(await all()).toHaveLength(1);
  });

  it('is not signed where there is no channel yet', async () => {
    await ledger.changePurchaseChannel({ channelId, retired: true });
    expect(await decline(required())).toMatchObject({ declined: expect.stringContaining('not open yet') });
    expect(low).toEqual([payee]);
  });
});

describe('what the seller answers', () => {
  it('a JSON answer’s receipt is checked, stored, and says what it cost', async () => {
    const request = payable();
    const receipt = receiptOf(request);
    (await buy(request)).take(answer(200, headersOf(receipt)));
    await closer.idle();
    expect(await all()).toMatchObject([{ state: 'paid', cost: 500n, receipt }]);
    expect(await channel()).toMatchObject({ spent: 500n, reserved: 0n, signed: 900n, sequence: 1, stopped: null });
    expect(lines.lines).toEqual([]);
  });

  it('a stream passes as it is, and its receipt is found at the end', async () => {
    const request = payable({ stream: true });
    const text = `data: {"a":1}\n\n: autopay-receipt ${receiptOf(request)}\n\ndata: [DONE]\n\n`;
    const chunks = [text.slice(0, 30), text.slice(30, 500), text.slice(500)];
    const taken = (await buy(request)).take(answer(200, { 'x-autopay-call-id': sellerCallId }, chunks));
    expect(await read(taken.body)).toBe(text);
    await closer.idle();
    expect(await all()).toMatchObject([{ state: 'paid', cost: 500n }]);
  });

  it.each([
    ['another call', { callId: createCallId() }, relayKey, 'for call'],
    ['another request', { requestCommitment: zeroBytes32 }, relayKey, 'another request'],
    ['more than the quote', { amount: 901n, runningTotal: 901n }, relayKey, 'above the quote'],
    ['another channel', { channelId: anotherId }, relayKey, 'channel'],
    ['a running total that does not add up', { runningTotal: 600n }, relayKey, 'running total'],
    ['a running total above all that was bought', { sequence: 7, runningTotal: 5_000n }, relayKey, 'above'],
    ['somebody else’s signature', {}, Buffer.alloc(32, 8), 'no relay of'],
  ])('a receipt for %s stops all payment, loudly', async (_, changes, signer, problem) => {
    const request = payable();
    (await buy(request)).take(answer(200, headersOf(receiptOf(request, changes, signer))));
    await closer.idle();
    expect((await channel())?.stopped).toContain(problem);
    expect(lines.lines).toMatchObject([{ level: 'error', facts: { provider: 'seller', channelId } }]);
    expect(await decline(required())).toMatchObject({ declined: expect.stringContaining('stopped') });
  });

  it('two calls with one sequence number stop it', async () => {
    const [one, other] = [payable(), payable()];
    (await buy(one)).take(answer(200, headersOf(receiptOf(one))));
    const otherId = createCallId();
    const twin = receiptOf(other, { callId: otherId });
    (await buy(other)).take(answer(200, { 'x-autopay-call-id': otherId, 'x-autopay-receipt': twin }));
    await closer.idle();
    expect((await channel())?.stopped).toContain('sequence number 1');
  });

  it('an answer without a receipt, or with none that can be read, stops it', async () => {
    const taken = (await buy()).take(answer(200, { 'x-autopay-call-id': sellerCallId }, ['{}']));
    await read(taken.body);
    await closer.idle();
    expect((await channel())?.stopped).toContain('without a receipt');
    await ledger.changePurchaseChannel({ channelId, stopped: null });
    (await buy()).take(answer(200, headersOf('bm90aGluZw==')));
    await closer.idle();
    expect((await channel())?.stopped).toContain('cannot be read');
    expect(await all()).toMatchObject([{ state: 'unknown' }, { state: 'unknown' }]);
  });

  it('what the relay refuses costs nothing; what somebody between refuses may have cost it all', async () => {
    (await buy()).take(answer(502, { 'x-autopay-call-id': sellerCallId }));
    (await buy()).take(answer(504));
    await closer.idle();
    expect(await all()).toMatchObject([{ state: 'void', cost: 0n }, { state: 'unknown' }]);
    expect(await channel()).toMatchObject({ reserved: 900n, spent: 0n, stopped: null });
  });

  it('an answer that breaks, is left, or never comes counts as spent until the seller is asked', async () => {
    (await buy()).lose();
    const left = (await buy()).take(answer(200, { 'x-autopay-call-id': sellerCallId }, ['data: 1\n\n', 'data: 2\n\n']));
    for await (const _ of left.body) break;
    (await buy()).take(answer(200, { 'x-autopay-call-id': sellerCallId }, ['x'])).destroy();
    await closer.idle();
    expect((await all()).map(({ state }) => state)).toEqual(['unknown', 'unknown', 'unknown']);
    expect(await channel()).toMatchObject({ reserved: 2_700n, stopped: null });
  });

  it('while the chain cannot be asked who the relay is, nothing is known, and nothing is stopped', async () => {
    isReachable = false;
    const request = payable();
    (await buy(request)).take(answer(200, headersOf(receiptOf(request))));
    await closer.idle();
    expect(await all()).toMatchObject([{ state: 'unknown' }]);
    expect(await channel()).toMatchObject({ stopped: null, reserved: 900n });
  });
});
