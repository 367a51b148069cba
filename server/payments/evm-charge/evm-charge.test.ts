import { Receipt } from 'mppx';
import { Mppx, evm } from 'mppx/client';
import { privateKeyToAccount } from 'viem/accounts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../../protocol/errors/error-codes.ts';
import { decodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { parseChallenges } from '../../../protocol/mpp/challenge.ts';
import { formatCredential, parseCredential } from '../../../protocol/mpp/credential.ts';
import { chargeRequestSchema, type Credential } from '../../../protocol/mpp/session-schemas.ts';
import type { PaymentState, StoredPayment } from '../../ledger/background-ledger.ts';
import type { ChargeResult, DirectPayment } from '../../ledger/ledger.ts';
import type { SettlementOutcome } from '../../settlement/settle-payment.ts';
import { createChargeChallenges, type ChargeTerms } from './charge-terms.ts';
import { createEvmCharge } from './evm-charge.ts';

const address = (byte: string): Hex => `0x${byte.repeat(20)}`;
const hash: Hex = `0x${'ab'.repeat(32)}`;
const domain = { name: 'USD Coin', version: '2' };
const usdc = address('11');
const terms: ChargeTerms = {
  ...{ chainId: 8453, desk: address('de'), minValiditySeconds: 1_000, maxTimeoutSeconds: 1_300 },
  tokens: [{ address: usdc, symbol: 'USDC', domain, decimals: 6 }],
};
const quotes = new Map([
  [usdc, 5_000n],
  [address('22'), 7n],
]);
const account = privateKeyToAccount(`0x${'5a'.repeat(32)}`);
const payer = account.address.toLowerCase() as Hex;

let nowMs: number;
beforeEach(() => {
  nowMs = Date.now();
});

/** A method whose ledger, verifier and chain the test sets. */
function createMethod(changes: { terms?: Partial<ChargeTerms>; secret?: Buffer } = {}) {
  const stored = new Map<Hex, StoredPayment>();
  const verify = vi.fn((): Promise<bigint> => Promise.resolve(9_000n));
  const settle = vi.fn((): Promise<SettlementOutcome> => Promise.resolve({ state: 'settled', transactionHash: hash }));
  const offered = { ...terms, ...changes.terms };
  const clock = { nowMs: () => nowMs };
  const { secret = Buffer.alloc(32, 9) } = changes;
  const method = createEvmCharge({
    terms: offered,
    challenges: createChargeChallenges({ terms: offered, realm: 'relay', secret, ...clock }),
    verifier: { verify },
    ledger: { getPayment: (id) => Promise.resolve(stored.get(id)) },
    settlement: { settle },
    ...clock,
  });
  const admit = (authorization: string) => admitHeaders({ authorization });
  const admitHeaders = (headers: Record<string, string>) =>
    method.admit({ headers, body: Buffer.from('{}'), path: '/', callId: 'call', quotes: () => undefined });
  const keep = (payment: DirectPayment, state: PaymentState) =>
    stored.set(payment.paymentId, {
      ...payment,
      ...{ state, callId: 'call', charge: 0n, captured: 0n, transactionHash: null, lossReason: null },
    });
  return { method, admit, admitHeaders, keep, verify, settle };
}
type Subject = ReturnType<typeof createMethod>;

function offer({ method }: Subject): string {
  const challenge = method.challenge({ quotes, path: '/', message: 'Pay.' });
  return challenge?.headers(challenge.offers)['WWW-Authenticate'] ?? '';
}

/** What the unmodified client of `mppx` answers a 402 with. */
async function answer(subject: Subject): Promise<string> {
  const sent: Headers[] = [];
  const relay: typeof fetch = (_, init) => {
    sent.push(new Headers(init?.headers));
    const isFirst = sent.length === 1;
    return Promise.resolve(
      new Response('{}', isFirst ? { status: 402, headers: { 'www-authenticate': offer(subject) } } : {}),
    );
  };
  const currencies = [usdc];
  const methods = [evm({ account, authorization: domain, currencies, networks: [8453], decimals: 6, maxAmount: '1' })];
  await Mppx.create({ polyfill: false, fetch: relay, methods }).fetch('http://relay/', { method: 'POST', body: '{}' });
  const authorization = sent[1]?.get('authorization');
  if (authorization === undefined || authorization === null) throw new Error('mppx did not pay');
  return authorization;
}

async function admitted(subject: Subject, authorization: string) {
  const admission = await subject.admit(authorization);
  if (!admission || !('funds' in admission) || admission.funds?.kind !== 'direct')
    throw new Error('nothing was admitted');
  return { admission, payment: admission.funds.payment };
}

/** The same credential with another payload. */
function vary(authorization: string, change: (credential: Credential) => Record<string, unknown>): string {
  const credential = parseCredential(authorization);
  if (!credential) throw new Error('no credential');
  return formatCredential({ ...credential, payload: { ...credential.payload, ...change(credential) } });
}

async function expectRefusal(subject: Subject, authorization: string, code: ErrorCode): Promise<void> {
  await expect(subject.admit(authorization)).rejects.toThrow(expect.objectContaining({ code }));
}

describe('a challenge', () => {
  it('asks for the quote in each token with EIP-3009, for as long as a call and its settlement take', () => {
    const [challenge, ...others] = parseChallenges(offer(createMethod()));
    expect(others).toEqual([]);
    expect(challenge).toMatchObject({ realm: 'relay', method: 'evm', intent: 'charge' });
    expect(Date.parse(challenge?.expires ?? '')).toBe(nowMs + 1_300_000);
    expect(chargeRequestSchema.parse(decodeBase64UrlJson(challenge?.request ?? ''))).toEqual({
      ...{ amount: 5_000n, currency: usdc, recipient: terms.desk },
      methodDetails: { chainId: 8453, credentialTypes: ['authorization'], decimals: 6 },
    });
  });

  it('is not made where there is nothing to pay', () => {
    const { method } = createMethod();
    const of = (asked: ReadonlyMap<Hex, bigint> | undefined) =>
      method.challenge({ quotes: asked, path: '/', message: '' });
    expect(of(undefined)).toBeUndefined();
    expect(of(new Map([[usdc, 0n]]))).toBeUndefined();
    expect(of(new Map([[address('22'), 7n]]))).toBeUndefined();
  });
});

describe('a charge', () => {
  it('by the unmodified client of mppx is admitted, once verified; beside a bearer too', async () => {
    const subject = createMethod();
    const authorization = await answer(subject);
    const { admission, payment } = await admitted(subject, authorization);
    expect(payment).toMatchObject({ kind: 'eip3009', payer, token: usdc, maximum: 5_000n, available: 9_000n });
    expect(admission).toMatchObject({
      token: usdc,
      headroom: null,
      idempotencyScope: payer,
      wantsPaymentEvents: false,
    });
    expect(subject.verify).toHaveBeenCalledOnce();
    const beside = { authorization: 'Bearer unused', 'payment-authorization': authorization };
    expect(subject.method.carries(beside)).toBe(true);
    expect(await subject.admitHeaders(beside)).toMatchObject({ funds: { payment } });
  });

  it('is refused if it does not answer its challenge', async () => {
    const subject = createMethod();
    const authorization = await answer(subject);
    const refuse = (change: Record<string, unknown>, code: ErrorCode) =>
      expectRefusal(
        subject,
        vary(authorization, () => change),
        code,
      );
    await refuse({ to: address('ee') }, 'payment_invalid');
    await refuse({ value: '4999' }, 'payment_invalid');
    await refuse({ nonce: hash }, 'payment_invalid');
    await refuse({ validAfter: '1' }, 'payment_invalid');
    await refuse({ validBefore: String(Math.floor(nowMs / 1_000) + 999) }, 'payment_expired');
    await refuse({ validBefore: '1e9' }, 'malformed_credential');
    await refuse({ signature: '0x12' }, 'malformed_credential');
    await refuse({ from: undefined }, 'malformed_credential');
    await refuse({ type: 'permit2' }, 'unsupported_payment_action');
    expect(subject.verify).not.toHaveBeenCalled();
    subject.verify.mockRejectedValue(new AutoPayError('invalid_signature', 'no'));
    await refuse({}, 'invalid_signature');
  });

  it('is refused for a challenge that is foreign, changed, or over', async () => {
    const subject = createMethod();
    const authorization = await answer(subject);
    const others = [createMethod({ secret: Buffer.alloc(32, 8) }), createMethod({ terms: { desk: address('dd') } })];
    for (const other of others) await expectRefusal(other, authorization, 'challenge_invalid');
    const credential = parseCredential(authorization);
    if (!credential) throw new Error('no credential');
    for (const change of [{ realm: 'other' }, { opaque: 'x' }, { expires: new Date(nowMs + 9e9).toISOString() }]) {
      const challenge = { ...credential.challenge, ...change };
      await expectRefusal(subject, formatCredential({ ...credential, challenge }), 'challenge_invalid');
    }
    nowMs += 1_300_000;
    await expectRefusal(subject, authorization, 'challenge_expired');
  });

  it('of another intent or scheme is not ours', async () => {
    const subject = createMethod();
    const credential = parseCredential(await answer(subject));
    if (!credential) throw new Error('no credential');
    const challenge = { ...credential.challenge, intent: 'session' };
    expect(await subject.admit(formatCredential({ ...credential, challenge }))).toBeUndefined();
    expect(await subject.admit('Bearer unused')).toBeUndefined();
    await expectRefusal(subject, 'Payment !', 'malformed_credential');
  });
});

describe('a charge that comes again', () => {
  it.each(['reserved', 'due', 'settled', 'lost', 'forgiven'] as const)(
    'is admitted while it is %s, without asking the chain, though its challenge is over',
    async (state) => {
      const subject = createMethod();
      const authorization = await answer(subject);
      const { payment } = await admitted(subject, authorization);
      subject.keep(payment, state);
      subject.verify.mockRejectedValue(new AutoPayError('payment_already_used', 'used'));
      nowMs += 9_000_000;
      expect((await admitted(subject, authorization)).payment).toEqual({ ...payment, available: null });
      expect(subject.verify).toHaveBeenCalledOnce();
    },
  );

  it('is verified again if its call was released, or only its nonce is known', async () => {
    const subject = createMethod();
    const authorization = await answer(subject);
    const { payment } = await admitted(subject, authorization);
    subject.keep(payment, 'released');
    await admitted(subject, authorization);
    expect(subject.verify).toHaveBeenCalledTimes(2);
    subject.keep(payment, 'settled');
    subject.verify.mockRejectedValue(new AutoPayError('invalid_signature', 'no'));
    const forged = vary(authorization, () => ({ signature: `0x${'11'.repeat(65)}` }));
    await expectRefusal(subject, forged, 'invalid_signature');
  });

  it('is admitted if its twin used it up while it was looked at', async () => {
    const subject = createMethod();
    const authorization = await answer(subject);
    const { payment } = await admitted(subject, authorization);
    subject.verify.mockImplementation(() => {
      subject.keep(payment, 'settled');
      return Promise.reject(new AutoPayError('payment_already_used', 'used'));
    });
    expect((await admitted(subject, authorization)).payment).toEqual({ ...payment, available: null });
  });
});

describe('a finished charge', () => {
  const charged = (captured: bigint, paymentId: Hex) =>
    ({ payment: { paymentId, captured }, receipt: { chargedAtMs: nowMs, refundOwed: 40n } }) as ChargeResult;

  it('has a receipt with its transaction, as mppx reads it', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, await answer(subject));
    const { headers, events } = await subject.method.finish(admission, charged(5_000n, payment.paymentId));
    expect(events).toBe('');
    expect(Receipt.deserialize(headers['payment-receipt'] ?? '')).toEqual({
      ...{ method: 'evm', intent: 'charge', status: 'success', reference: hash, chainId: 8453 },
      ...{ challengeId: admission.challengeId, timestamp: new Date(nowMs).toISOString() },
      ...{ amount: '5000', refundOwed: '40' },
    });
    expect(subject.settle).toHaveBeenCalledExactlyOnceWith(payment.paymentId);
  });

  it('of nothing needs no transaction', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, await answer(subject));
    const { headers } = await subject.method.finish(admission, charged(0n, payment.paymentId));
    const receipt = Receipt.deserialize(headers['payment-receipt'] ?? '');
    expect(receipt).toMatchObject({ reference: payment.paymentId, amount: '0' });
    expect(subject.settle).not.toHaveBeenCalled();
  });

  it.each([
    [{ state: 'pending' }, 'settlement_pending'],
    [{ state: 'lost', reason: 'poor' }, 'settlement_failed'],
  ] as const)('is withheld while the settlement is %o', async (outcome, code) => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, await answer(subject));
    subject.settle.mockResolvedValue(outcome);
    await expect(subject.method.finish(admission, charged(5_000n, payment.paymentId))).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });
});
