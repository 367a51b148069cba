import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatCredential } from '../../protocol/mpp/credential.ts';
import type { ChargeResult } from '../ledger/ledger.ts';
import { payAcrossChains, type ChainPayments } from './across-chains.ts';
import { createFreeMethod } from './free/free-method.ts';
import type { ChallengeContext, MethodAdmission, PaymentMethod, PaymentRequest } from './payment-method.ts';
import { buildOffersOn } from './x402/build-offers.ts';
import type { X402Terms } from './x402/x402-terms.ts';

const token = `0x${'11'.repeat(20)}` as const;
const payer = `0x${'22'.repeat(20)}` as const;
const paid: MethodAdmission = {
  ...{ funds: { kind: 'key', channelId: `0x${'33'.repeat(32)}` }, channel: null, token, headroom: null, scopes: [] },
  ...{ keyId: null, idempotencyScope: payer, wantsPaymentEvents: false },
};
const x402: X402Terms = {
  ...{
    chainId: 0,
    desk: token,
    tokens: [{ address: token, symbol: 'USDC', domain: { name: 'USD Coin', version: '2' } }],
  },
  ...{ hasUpto: true, hasPermit2Exact: true, baseUrl: 'https://relay', minValiditySeconds: 1, maxTimeoutSeconds: 2 },
};

/** One method on a chain, which says what it was asked. */
function chain(chainId: number, name: string, change: Partial<PaymentMethod> = {}) {
  const asked: (PaymentRequest | ChallengeContext)[] = [];
  const finished: MethodAdmission[] = [];
  const method: PaymentMethod = {
    ...createFreeMethod(),
    name,
    admit(request) {
      asked.push(request);
      return Promise.resolve(paid);
    },
    challenge(context) {
      asked.push(context);
      const headers = (count: number) => ({ 'WWW-Authenticate': Array(count).fill(`${name}-${chainId}`).join(', ') });
      return { offers: 2, headers, facts: { chainId, token: context.token ?? 'none' } };
    },
    finish(admission) {
      finished.push(admission);
      return Promise.resolve({ headers: { from: String(chainId) }, events: '' });
    },
    ...change,
  };
  const payments: ChainPayments = {
    ...{ chainId, methods: [method], x402: { ...x402, chainId } },
    quotesOf: () => new Map([[token, BigInt(chainId)]]),
  };
  return { payments, asked, finished };
}

const request = (headers: PaymentRequest['headers']): PaymentRequest => ({
  ...{ headers, body: Buffer.from('{}'), path: '/v1/chat/completions', callId: 'c', quotes: () => undefined },
});

/** A request with a credential that answers a challenge of a chain. */
function credentialOn(chainId: unknown): PaymentRequest {
  const challenge = {
    ...{ id: 'id', realm: 'relay', method: 'evm', intent: 'session', expires: '2030-01-01T00:00:00Z' },
    request: encodeBase64UrlJson({ amount: '1', methodDetails: { chainId } }),
  };
  return request({ authorization: formatCredential({ challenge, payload: {} }) });
}

const quotesOn = (chainId: number) => new Map([[token, BigInt(chainId)]]);
const context = (more: Partial<ChallengeContext> = {}): ChallengeContext => ({
  ...{ quotes: undefined, quotesOn, path: '/v1/chat/completions', message: 'Pay.', ...more },
});
const charge = {} as ChargeResult;

/** The one method of two chains. */
function both(name: string, changes: Partial<PaymentMethod>[] = []) {
  const [home, other] = [chain(1, name, changes[0]), chain(2, name, changes[1])];
  const [method] = payAcrossChains([home.payments, other.payments]);
  if (!method) throw new Error('there is no method');
  return { home, other, method };
}

describe('a method on two chains', () => {
  it('gives a payment to the chain that it names, with the quotes there, and finishes it there', async () => {
    const { home, other, method } = both('evm/session');
    const admission = await method.admit(credentialOn(2));
    expect(admission).toMatchObject({ ...paid, chainId: 2 });
    const [asked] = other.asked as PaymentRequest[];
    expect(asked?.quotes()).toEqual(new Map([[token, 2n]]));
    expect(home.asked).toEqual([]);
    expect(await method.finish(admission ?? paid, charge)).toMatchObject({ headers: { from: '2' } });
    // What the method itself admitted: it may know more of that one.
    expect(other.finished[0]).toBe(paid);
  });

  it.each([
    ['of the home chain', 1],
    ['of a chain that is not here', 3],
    ['that says no number', '2'],
  ])('gives the home chain a challenge %s', async (_, chainId) => {
    const { method } = both('evm/session');
    expect(await method.admit(credentialOn(chainId))).toMatchObject({ chainId: 1 });
  });

  it('asks each chain for an API key, and tells no more than that none knows it', async () => {
    const unknown = { admit: () => Promise.reject(new AutoPayError('invalid_api_key', 'Unknown.')) };
    const expired = { admit: () => Promise.reject(new AutoPayError('api_key_expired', 'Expired.')) };
    const asked = request({ authorization: 'Bearer ap_sk_x' });
    expect(await both('key', [unknown]).method.admit(asked)).toMatchObject({ chainId: 2 });
    await expect(both('key', [unknown, unknown]).method.admit(asked)).rejects.toMatchObject({
      code: 'invalid_api_key',
    });
    const late = both('key', [unknown, expired]).method.admit(asked);
    await expect(late).rejects.toMatchObject({ code: 'api_key_expired', facts: { chainId: 2 } });
  });

  it('offers both, the home chain first, and leaves out the last', () => {
    const challenge = both('evm/session').method.challenge(context());
    expect(challenge).toMatchObject({ offers: 4, least: 2 });
    const names = 'evm/session-1, evm/session-1, evm/session-2, evm/session-2';
    expect(challenge?.headers(4)).toEqual({ 'WWW-Authenticate': names });
    expect(challenge?.headers(3)).toEqual({ 'WWW-Authenticate': names.split(', ').slice(0, 3).join(', ') });
    expect(challenge?.headers(2)).toEqual({ 'WWW-Authenticate': 'evm/session-1, evm/session-2' });
    expect(challenge?.headers(1)).toEqual({ 'WWW-Authenticate': 'evm/session-1' });
    expect(challenge?.facts).toMatchObject({ chainId: 1 });
  });

  it('tells the facts of the chain that refused the payment, whose token the other may have too', () => {
    const { home, other, method } = both('evm/session');
    expect(method.challenge(context({ chainId: 2, token }))?.facts).toEqual({ chainId: 2, token });
    expect(home.asked).toMatchObject([{ quotes: new Map([[token, 1n]]) }]);
    expect(home.asked[0]).not.toHaveProperty('token');
    expect(other.asked).toMatchObject([{ token, quotes: new Map([[token, 2n]]) }]);
  });

  it('puts all offers of x402 into its one header', () => {
    const challenge = both('x402').method.challenge(context());
    const header = challenge?.headers(4)['PAYMENT-REQUIRED'] ?? '';
    const { accepts } = JSON.parse(Buffer.from(header, 'base64').toString()) as { accepts: object[] };
    expect(challenge?.least).toBe(3);
    expect(accepts).toMatchObject([
      { network: 'eip155:1', scheme: 'upto', amount: '1' },
      { network: 'eip155:1', scheme: 'exact', amount: '1' },
      { network: 'eip155:2', scheme: 'exact', amount: '2' },
      { network: 'eip155:2', scheme: 'upto', amount: '2' },
    ]);
  });

  it('puts the first token of each chain before the second of any', () => {
    const second = { ...x402.tokens[0], address: payer, symbol: 'AGPT', domain: null };
    const quotes = new Map([token, second.address].map((address) => [address, 1n] as const));
    const terms = (chainId: number) => ({ ...x402, chainId, tokens: [...x402.tokens, second], hasUpto: false });
    const chains = [1, 2].map((chainId) => ({ terms: terms(chainId), context: context({ quotes }) }));
    const header = buildOffersOn(chains)?.headers(4)['PAYMENT-REQUIRED'] ?? '';
    const { accepts } = JSON.parse(Buffer.from(header, 'base64').toString()) as { accepts: object[] };
    expect(accepts).toMatchObject([
      { network: 'eip155:1', asset: token },
      { network: 'eip155:2', asset: token },
      { network: 'eip155:1', asset: payer },
      { network: 'eip155:2', asset: payer },
    ]);
  });

  it('offers what one chain has alone', () => {
    const { method } = both('evm/session', [{ challenge: () => undefined }]);
    expect(method.challenge(context())).toMatchObject({ offers: 2, facts: { chainId: 2 } });
  });
});
