import { recoverTypedDataAddress } from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../../protocol/mpp/challenge.ts';
import { parseCredential } from '../../protocol/mpp/credential.ts';
import { challengeNonce } from '../../protocol/typed-data/authorization.ts';
import { decodeHeaderJson, encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import type { TestBooks } from '../ledger/test-books.ts';
import { createAuthorizationPayer } from './pay-by-authorization.ts';
import { address, answer, LogLines, nowMs, openPurchaseBooks, payable, terms, wallet } from './payer-fixture.ts';
import { createPurchaseCloser } from './purchase-closer.ts';
import type { SellerTerms } from './seller-terms.ts';
import type { Declined, PaymentRequired, SignedPurchase } from './upstream-payer.ts';

let books: TestBooks;
let ledger: PurchaseLedger;
const lines = new LogLines();
beforeEach(() => {
  ({ books, ledger } = openPurchaseBooks());
  lines.lines.length = 0;
});
afterEach(() => books.close());

const domain = { name: 'USD Coin', version: '2' };
const fields = [
  ...[
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
  ],
  ...[
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
];

function payer(method: 'x402' | 'evm/charge', changes: Partial<SellerTerms> = {}) {
  const closer = createPurchaseCloser({ ledger, log: lines.log });
  const paying = createAuthorizationPayer({
    ...{ method, terms: { ...terms, ...changes }, wallet, ledger, closer, networks: ['eip155:31337', 'local'] },
    ...{ readDomain: async () => domain, nowMs: () => nowMs },
  });
  const pay = async (required: PaymentRequired, request = payable()) => paying.pay(request, required);
  return { closer, pay };
}
const offer = (changes: object = {}) => ({
  ...{ scheme: 'exact', network: 'eip155:31337', asset: terms.token.address, amount: '900', payTo: address('b1') },
  ...{ maxTimeoutSeconds: 60, extra: domain, ...changes },
});
const x402 = (...accepts: object[]): PaymentRequired => ({
  headers: { 'payment-required': encodeHeaderJson({ x402Version: 2, resource: { url: 'u' }, accepts }) },
  body: null,
});
function charge(changes: object = {}, more: object = {}): PaymentRequired {
  const methodDetails = { chainId: 31_337, credentialTypes: ['authorization'] };
  const request = { amount: '900', currency: terms.token.address, recipient: address('b1'), methodDetails, ...changes };
  const challenge = {
    ...{ id: 'i', realm: 'r', method: 'evm', intent: 'charge', request: encodeBase64UrlJson(request) },
    ...{ expires: new Date(nowMs + 300_000).toISOString(), ...more },
  };
  return { headers: { 'www-authenticate': `Bearer realm="x", ${formatChallenge(challenge)}` }, body: null };
}
function signed(purchase: SignedPurchase | Declined): SignedPurchase {
  if ('declined' in purchase) throw new Error(purchase.declined);
  return purchase;
}
type Payload = {
  signature: Hex;
  authorization: { from: Hex; to: Hex; value: string; validAfter: string; validBefore: string; nonce: Hex };
};
const payloadOf = (purchase: SignedPurchase) =>
  decodeHeaderJson('PAYMENT-SIGNATURE', purchase.headers['payment-signature'] ?? '') as {
    accepted: object;
    resource: object;
    payload: Payload;
  };

async function signerOf({ authorization, signature }: Payload) {
  const { nonce, to, value, validAfter, validBefore } = authorization;
  const message = {
    ...{ from: authorization.from, to, nonce, value: BigInt(value) },
    validAfter: BigInt(validAfter),
    validBefore: BigInt(validBefore),
  };
  const verifying = { ...domain, chainId: 31_337, verifyingContract: terms.token.address };
  const signer = await recoverTypedDataAddress({
    ...{
      domain: verifying,
      types: { TransferWithAuthorization: fields },
      primaryType: 'TransferWithAuthorization',
      message,
      signature,
    },
  });
  return signer.toLowerCase();
}
const all = () => ledger.listPurchases({ after: 0, limit: 100 });

describe('x402', () => {
  it('a seller that was paid and failed is not paid beyond the limit of the call, at whichever attempt', async () => {
    const { closer, pay } = payer('x402');
    const { attempt } = payable();
    const ask = (number: number) => pay(x402(offer()), payable({ attempt: { ...attempt, number } }));
    signed(await ask(1)).take(answer(503));
    await closer.idle();
    expect(await ask(2)).toMatchObject({ declined: expect.stringContaining('limit for one call') });
    expect(await all()).toHaveLength(1);
  });

  it('the cheapest offer that fits is paid by a signature of the wallet, which is durable before', async () => {
    const { closer, pay } = payer('x402');
    const cheapest = offer({ amount: '700' });
    const purchase = signed(
      await pay(
        x402(
          offer(),
          cheapest,
          offer({ amount: '1', network: 'eip155:1' }),
          offer({ amount: '1', asset: address('dd') }),
          {
            ...offer({ amount: '1' }),
            extra: { assetTransferMethod: 'permit2' },
          },
        ),
      ),
    );
    const { accepted, payload, resource } = payloadOf(purchase);
    expect({ accepted, resource }).toEqual({ accepted: cheapest, resource: { url: 'u' } });
    expect(payload.authorization).toMatchObject({
      ...{ from: wallet.address, to: address('b1'), value: '700', validBefore: String(nowMs / 1_000 + 60) },
    });
    expect(await signerOf(payload)).toBe(wallet.address);
    const { nonce } = payload.authorization;
    expect(await all()).toMatchObject([{ state: 'open', maximum: 700n, nonce, validBefore: nowMs / 1_000 + 60 }]);

    const settled = encodeHeaderJson({ success: true, transaction: `0x${'ab'.repeat(32)}`, network: 'x', amount: '1' });
    purchase.take(answer(200, { 'payment-response': settled }));
    await closer.idle();
    // The seller's word for less changes nothing: what was signed is taken whole.
    expect(await all()).toMatchObject([{ state: 'paid', cost: 700n, transactionHash: `0x${'ab'.repeat(32)}` }]);
  });

  it('offers of version 1 are paid in the header of version 1', async () => {
    const { amount: maxAmountRequired, ...rest } = offer({ network: 'local' });
    const body = { x402Version: 1, accepts: [{ ...rest, maxAmountRequired }], error: 'pay' };
    const purchase = signed(await payer('x402').pay({ headers: {}, body }));
    const payment = decodeHeaderJson('X-PAYMENT', purchase.headers['x-payment'] ?? '') as { payload: Payload };
    expect(payment).toMatchObject({ x402Version: 1, scheme: 'exact', network: 'local' });
    expect(await signerOf(payment.payload)).toBe(wallet.address);
  });

  it('nothing is signed beyond the limits, for another payee, or for what cannot be read', async () => {
    const { pay } = payer('x402');
    const declined = async (required: PaymentRequired, from = pay) => (await from(required)) as Declined;
    expect(await declined(x402(offer({ amount: '1001' })))).toMatchObject({
      declined: expect.stringContaining('one call'),
    });
    expect(await declined(x402(offer()), payer('x402', { payTo: address('b2') }).pay)).toMatchObject({
      facts: { otherOffers: 1 },
    });
    expect(await declined(x402(offer({ maxTimeoutSeconds: 86_401 })))).toMatchObject({ facts: { otherOffers: 0 } });
    expect(await declined({ headers: { 'payment-required': '!' }, body: null })).toHaveProperty('declined');
    expect(await declined({ headers: {}, body: { x402Version: 2, accepts: 'none' } })).toHaveProperty('declined');
    expect(await all()).toEqual([]);
    for (let call = 0; call < 3; call += 1) signed(await pay(x402(offer())));
    expect(await declined(x402(offer()))).toEqual({ declined: 'the limit of the day is reached' });
  });

  it('twenty at once do not pass the day’s limit, and one attempt is paid for once', async () => {
    const { pay } = payer('x402');
    const decisions = await Promise.all(Array.from({ length: 20 }, () => pay(x402(offer()))));
    expect(decisions.filter((one) => !('declined' in one))).toHaveLength(3);
    const again = payer('x402', { maxPerDay: 10_000n });
    const request = payable();
    const both = await Promise.all([again.pay(x402(offer()), request), again.pay(x402(offer()), request)]);
    expect(both.filter((one) => 'declined' in one)).toEqual([{ declined: 'this attempt was paid for before' }]);
  });

  it.each([
    ['a refusal', (purchase: SignedPurchase) => void purchase.take(answer(402))],
    ['a failure', (purchase: SignedPurchase) => void purchase.take(answer(500))],
    ['an answer without a settlement', (purchase: SignedPurchase) => void purchase.take(answer(200))],
    ['a lost answer', (purchase: SignedPurchase) => purchase.lose()],
  ])('after %s the payment counts as spent until the chain says more', async (what, end) => {
    const { closer, pay } = payer('x402');
    end(signed(await pay(x402(offer()))));
    await closer.idle();
    expect(await all()).toMatchObject([{ state: 'unknown', cost: null }]);
    expect(
      await ledger.spentOnPurchases({
        provider: 'seller',
        chainId: 31_337,
        token: terms.token.address,
        day: Math.floor(nowMs / 86_400_000),
      }),
    ).toBe(900n);
    expect(lines.lines.map(({ level }) => level)).toEqual(what === 'an answer without a settlement' ? [] : ['warn']);
  });

  it('a token without authorizations is not paid in', async () => {
    const closer = createPurchaseCloser({ ledger, log: lines.log });
    const paying = createAuthorizationPayer({
      ...{ method: 'x402', terms, wallet, ledger, closer, networks: ['eip155:31337'] },
      ...{ readDomain: async () => null, nowMs: () => nowMs },
    });
    expect(await paying.pay(payable(), x402(offer()))).toEqual({ declined: 'USDC takes no EIP-3009 authorizations' });
  });
});

describe('evm/charge', () => {
  it('a challenge is answered by an authorization with its nonce and its end', async () => {
    const { closer, pay } = payer('evm/charge');
    const purchase = signed(await pay(charge()));
    const credential = parseCredential(purchase.headers['authorization'] ?? '');
    const { type, signature, ...authorization } = credential?.payload as { type: string } & Payload &
      Payload['authorization'];
    expect(type).toBe('authorization');
    const nonce = challengeNonce({ id: 'i', realm: 'r' });
    expect(authorization).toMatchObject({ nonce, validAfter: '0', validBefore: String(nowMs / 1_000 + 300) });
    expect(await signerOf({ signature, authorization })).toBe(wallet.address);
    const reference = `0x${'cd'.repeat(32)}`;
    purchase.take(
      answer(200, { 'payment-receipt': encodeBase64UrlJson({ status: 'success', reference, method: 'evm' }) }),
    );
    await closer.idle();
    expect(await all()).toMatchObject([
      { state: 'paid', cost: 900n, transactionHash: reference, method: 'evm/charge' },
    ]);
    // The same challenge again would be the same authorization.
    expect(await pay(charge())).toEqual({ declined: 'the seller asks twice for the same authorization' });
  });

  it('a challenge that has ended, lasts too long, or asks for something else is not answered', async () => {
    const { pay } = payer('evm/charge');
    const declined = async (required: PaymentRequired) => ((await pay(required)) as Declined).declined;
    expect(await declined(charge({}, { expires: new Date(nowMs - 1_000).toISOString() }))).toContain('expired');
    expect(await declined(charge({}, { expires: new Date(nowMs + 86_500_000).toISOString() }))).toContain('longer');
    expect(await declined(charge({ currency: address('dd') }))).toContain('offers no MPP');
    expect(await declined(charge({ methodDetails: { chainId: 1 } }))).toContain('offers no MPP');
    expect(await declined(charge({ methodDetails: { chainId: 31_337, credentialTypes: ['hash'] } }))).toContain(
      'offers no MPP',
    );
    expect(await declined(charge({}, { intent: 'session' }))).toContain('offers no MPP');
    expect(await declined({ headers: { 'www-authenticate': 'Payment realm="x"' }, body: null })).toContain(
      'offers no MPP',
    );
    expect(await all()).toEqual([]);
  });
});
