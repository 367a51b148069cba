import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { ErrorCode } from '../../../protocol/errors/error-codes.ts';
import { parseChallenges } from '../../../protocol/mpp/challenge.ts';
import { decodeBase64UrlJson, encodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { formatCredential } from '../../../protocol/mpp/credential.ts';
import { sessionRequestSchema, type ChallengeEcho } from '../../../protocol/mpp/session-schemas.ts';
import type { ChannelOnChain } from '../../ledger/ledger.ts';
import { createEvmSession } from './evm-session.ts';
import type { ChallengeContext, PaymentRequest, RequestHeaders } from '../payment-method.ts';
import { createChallengeIssuer } from './issue-challenge.ts';
import { startVoucherRecoverer } from './recover-vouchers.ts';
import { agpt, authorize, createChannel, createChannelBook, createWallet, terms, usdc } from './session-fixture.ts';

const payer = createWallet('1');
const stranger = createWallet('2');
const sessionKey = createWallet('3');
const openHash: Hex = `0x${'77'.repeat(32)}`;
const recoverer = startVoucherRecoverer({
  scope: { chainId: terms.chainId, verifyingContract: terms.escrow },
  onFatal: (error) => {
    throw error;
  },
});
afterAll(() => recoverer.close());

let nowMs: number;
let onChain: Map<Hex, ChannelOnChain>;
let reads: Hex[];
let book: ReturnType<typeof createChannelBook>;
beforeEach(() => {
  nowMs = 1_800_000_000_000;
  onChain = new Map();
  reads = [];
  book = createChannelBook();
});

/** What the method sees of a request. */
function withHeaders(headers: RequestHeaders): PaymentRequest {
  return { headers, body: Buffer.from('{}'), path: '/v1/chat/completions', callId: 'a call', quotes: () => undefined };
}

function forQuotes(asked: ChallengeContext['quotes']): ChallengeContext {
  return { quotes: asked, path: '/v1/chat/completions', message: 'Pay.' };
}

const unexpected = () => Promise.reject(new Error('unexpected'));

function createMethod(changes: { secret?: Uint8Array; terms?: typeof terms } = {}) {
  const { secret = Buffer.alloc(32, 9) } = changes;
  const clock = { nowMs: () => nowMs };
  return createEvmSession({
    terms: changes.terms ?? terms,
    issuer: createChallengeIssuer({ terms: changes.terms ?? terms, realm: 'relay', secret, ttlSeconds: 60, ...clock }),
    recoverer,
    ledger: book.ledger,
    reader: {
      readChannel: (channelId) => {
        reads.push(channelId);
        return Promise.resolve(onChain.get(channelId));
      },
      readOpenTransaction: (hash, { channelId }) => {
        const channel = onChain.get(channelId);
        return hash === openHash && channel ? Promise.resolve(channel) : Promise.reject(new Error('unexpected lookup'));
      },
      readTopUpTransaction: unexpected,
    },
    deposits: { deposit: unexpected },
    closer: { close: unexpected },
    ...clock,
  });
}

const quotes = new Map([
  [usdc, 250n],
  [agpt, 25n * 10n ** 15n],
]);

function freshChallenge(method = createMethod(), asked: typeof quotes | undefined = quotes): ChallengeEcho {
  const [challenge] = parseChallenges(method.challenge(forQuotes(asked))?.headers(2)['WWW-Authenticate'] ?? '');
  if (!challenge) throw new Error('no challenge');
  return challenge;
}

function put(channel: ChannelOnChain): ChannelOnChain {
  onChain.set(channel.channelId, channel);
  return channel;
}

async function expectRefusal(authorization: string, code: ErrorCode, method = createMethod()): Promise<void> {
  await expect(method.admit(withHeaders({ authorization }))).rejects.toMatchObject({ name: 'AutoPayError', code });
}

describe('a challenge', () => {
  it('names the terms and the quote, in the header and as facts', () => {
    const challenge = freshChallenge();
    expect(challenge).toMatchObject({ realm: 'relay', method: 'evm', intent: 'session' });
    expect(Date.parse(challenge.expires ?? '')).toBe(nowMs + 60_000);
    expect(sessionRequestSchema.parse(decodeBase64UrlJson(challenge.request))).toEqual({
      amount: 250n,
      unitType: 'request',
      suggestedDeposit: 5_000_000n,
      currency: usdc,
      recipient: terms.recipient,
      methodDetails: {
        ...{ chainId: 31337, escrowContract: terms.escrow, feePayer: true },
        credentialTypes: ['authorization', 'hash'],
      },
    });
    expect(createMethod().challenge(forQuotes(quotes))?.facts).toEqual({
      quote: '250',
      token: usdc,
      symbol: 'USDC',
      decimals: 6,
      recipient: terms.recipient,
      escrow: terms.escrow,
      chainId: 31337,
    });
    expect(createMethod().challenge(forQuotes(undefined))?.facts).not.toHaveProperty('quote');
  });

  it('is made for each token that has a price, and the facts are about the one that was paid in', () => {
    const header = createMethod().challenge(forQuotes(quotes))?.headers(2)['WWW-Authenticate'] ?? '';
    const requests = parseChallenges(header).map(({ request }) =>
      sessionRequestSchema.parse(decodeBase64UrlJson(request)),
    );
    expect(requests).toMatchObject([
      { currency: usdc, amount: 250n, suggestedDeposit: 5_000_000n },
      { currency: agpt, amount: 25n * 10n ** 15n, suggestedDeposit: 500n * 10n ** 18n },
    ]);
    // The relay sends no deposits in a token without EIP-3009.
    expect(requests[1]?.methodDetails).toEqual({
      chainId: 31337,
      escrowContract: terms.escrow,
      credentialTypes: ['hash'],
    });
    expect(createMethod().challenge({ ...forQuotes(quotes), token: agpt })?.facts).toMatchObject({
      token: agpt,
      symbol: 'AGPT',
    });
  });

  it('is not made for a token without a price, and not at all where none has one', () => {
    const without = (unpriced: Hex[]) => ({
      ...terms,
      tokens: terms.tokens.map((token) =>
        unpriced.includes(token.address) ? { ...token, suggestedDeposit: () => undefined } : token,
      ),
    });
    const offered = createMethod({ terms: without([usdc]) }).challenge(forQuotes(quotes));
    expect(parseChallenges(offered?.headers(1)['WWW-Authenticate'] ?? '')).toHaveLength(1);
    expect(offered?.facts).toMatchObject({ token: agpt });
    expect(createMethod({ terms: without([usdc, agpt]) }).challenge(forQuotes(quotes))).toBeUndefined();
    const onlyAgpt = createMethod().challenge(forQuotes(new Map([[agpt, 1n]])));
    expect(onlyAgpt?.facts).toMatchObject({ token: agpt, quote: '1' });
    expect(parseChallenges(onlyAgpt?.headers(1)['WWW-Authenticate'] ?? '')).toHaveLength(1);
  });

  it('is refused when foreign, changed, of other terms, or expired', async () => {
    const { channelId } = put(createChannel(payer));
    const good = freshChallenge();
    const pay = (challenge: ChallengeEcho) => authorize({ challenge, channelId, cumulative: 5n, signer: payer });
    const foreign = freshChallenge(createMethod({ secret: Buffer.alloc(32, 8) }));
    await expectRefusal(pay(foreign), 'challenge_invalid');
    const method = createMethod();
    const changes = [
      { realm: 'other' },
      { method: 'tempo' },
      { intent: 'other' },
      { request: encodeBase64UrlJson({ amount: '0' }) },
      { expires: new Date(nowMs + 1e9).toISOString() },
      { digest: 'x' },
      { opaque: 'x' },
    ];
    const refuseChanges = async () => {
      for (const change of changes) await expectRefusal(pay({ ...good, ...change }), 'challenge_invalid', method);
    };
    await refuseChanges();
    // Once the unchanged one was seen, its changed copies are no better.
    await method.admit(withHeaders({ authorization: pay(good) }));
    await refuseChanges();
    const otherToken = { ...terms, tokens: terms.tokens.map((token) => ({ ...token, address: terms.escrow })) };
    await expectRefusal(
      pay(freshChallenge(createMethod({ terms: otherToken }), new Map([[terms.escrow, 1n]]))),
      'challenge_invalid',
    );
    nowMs += 60_000;
    await expectRefusal(pay(good), 'challenge_expired');
    await expectRefusal(pay(good), 'challenge_expired', method);
  });
});

describe('a voucher', () => {
  it('is admitted for a channel that is looked up once and then known', async () => {
    const { channelId } = put(createChannel(payer));
    const method = createMethod();
    const challenge = freshChallenge();
    for (const cumulative of [5n, 6n]) {
      const authorization = authorize({ challenge, channelId, cumulative, signer: payer });
      const signature = payer.sign(channelId, cumulative);
      expect(await method.admit(withHeaders({ authorization }))).toEqual({
        funds: { kind: 'voucher', voucher: { channelId, cumulativeAmount: cumulative, signature } },
        channel: expect.objectContaining({ channelId, deposit: 1_000_000n, charged: 0n }),
        ...{ token: usdc, headroom: null, scopes: [], keyId: null },
        idempotencyScope: channelId,
        ...{ challengeId: challenge.id, wantsPaymentEvents: true, takesSlices: true },
      });
    }
    expect(reads).toEqual([channelId]);
    expect(book.upserts).toEqual([channelId]);
  });

  it('may be signed by the session key, and then not by the payer', async () => {
    const { channelId } = put(createChannel(payer, { authorizedSigner: sessionKey.address }));
    const challenge = freshChallenge();
    const method = createMethod();
    await expectRefusal(authorize({ challenge, channelId, cumulative: 5n, signer: payer }), 'signer_mismatch', method);
    expect(book.upserts).toEqual([]);
    const authorization = authorize({ challenge, channelId, cumulative: 5n, signer: sessionKey });
    await expect(method.admit(withHeaders({ authorization }))).resolves.toBeDefined();
  });

  it('is refused when a stranger signed it, also for a channel that is known, and tells the stranger nothing', async () => {
    const channel = put(createChannel(payer));
    await book.ledger.upsertChannel(channel);
    const authorization = authorize({
      challenge: freshChallenge(),
      channelId: channel.channelId,
      cumulative: 2_000_000n,
      signer: stranger,
    });
    const refusal = await createMethod()
      .admit(withHeaders({ authorization }))
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'signer_mismatch',
      facts: { channelId: channel.channelId, signer: stranger.address },
    });
    expect(reads).toEqual([]);
  });

  it('is refused when the signature is no ECDSA signature', async () => {
    const { channelId } = put(createChannel(payer));
    const refuse = (signature: string, code: ErrorCode) => {
      const payload = { signature };
      return expectRefusal(
        authorize({ challenge: freshChallenge(), channelId, cumulative: 5n, signer: payer, payload }),
        code,
      );
    };
    await refuse(`0x${'00'.repeat(65)}`, 'invalid_signature');
    await refuse(`${payer.sign(channelId, 5n).slice(0, -2)}1d`, 'invalid_signature');
    await refuse(`0x${'ab'.repeat(96)}`, 'invalid_signature');
    await refuse('0xzz', 'malformed_credential');
    await refuse(payer.sign(channelId, 6n), 'signer_mismatch');
  });

  it('is refused for a channel that is unknown, and a flood of them asks the chain once', async () => {
    const { channelId } = createChannel(payer);
    const method = createMethod();
    const authorization = authorize({ challenge: freshChallenge(), channelId, cumulative: 5n, signer: payer });
    await Promise.all(Array.from({ length: 20 }, () => expectRefusal(authorization, 'channel_not_found', method)));
    await expectRefusal(authorization, 'channel_not_found', method);
    expect(reads).toHaveLength(1);
    onChain.set(channelId, createChannel(payer));
    nowMs += 2_000;
    await expect(method.admit(withHeaders({ authorization }))).resolves.toBeDefined();
  });

  it('pays in any of the relay’s tokens, by the challenge of that token', async () => {
    const { channelId } = put(createChannel(payer, { token: agpt }));
    const method = createMethod();
    const header = method.challenge(forQuotes(quotes))?.headers(2)['WWW-Authenticate'] ?? '';
    const challenge = parseChallenges(header)[1]!;
    for (const cumulative of [5n, 6n]) {
      const authorization = authorize({ challenge, channelId, cumulative, signer: payer });
      expect(await method.admit(withHeaders({ authorization }))).toMatchObject({ channel: { channelId, token: agpt } });
    }
  });

  it.each<[ErrorCode, Partial<ChannelOnChain>]>([
    ['channel_wrong_payee', { payee: stranger.address }],
    ['channel_wrong_token', { token: stranger.address }],
    // A token of the relay, but not that of the challenge.
    ['channel_wrong_token', { token: agpt }],
  ])('is refused with %s, be the channel new, known or recalled', async (code, changes) => {
    const channel = put(createChannel(payer, changes));
    const { channelId } = channel;
    const authorization = authorize({ challenge: freshChallenge(), channelId, cumulative: 5n, signer: payer });
    await expectRefusal(authorization, code);
    expect(book.upserts).toEqual([]);
    const state = await book.ledger.upsertChannel(channel);
    await expectRefusal(authorization, code);
    book.ledger.recallChannel = () => state;
    await expectRefusal(authorization, code);
  });

  it('above the known deposit asks the chain once whether there is more', async () => {
    const channel = put(createChannel(payer));
    const { channelId } = channel;
    await book.ledger.upsertChannel(channel);
    const method = createMethod();
    const authorization = authorize({ challenge: freshChallenge(), channelId, cumulative: 1_500_000n, signer: payer });
    const depositSeen = async () => (await method.admit(withHeaders({ authorization })))?.channel?.deposit;
    expect(await depositSeen()).toBe(1_000_000n);
    expect(await depositSeen()).toBe(1_000_000n);
    expect(reads).toHaveLength(1);
    put({ ...channel, deposit: 2_000_000n });
    nowMs += 1_000;
    expect(await Promise.all([depositSeen(), depositSeen()])).toEqual([2_000_000n, 2_000_000n]);
    expect(reads).toHaveLength(2);
  });

  it('reopens a channel whose pending close was cancelled', async () => {
    const channel = put(createChannel(payer));
    await book.ledger.upsertChannel({ ...channel, closeRequestedAt: 1_700_000_000 });
    const { channelId } = channel;
    const authorization = authorize({ challenge: freshChallenge(), channelId, cumulative: 5n, signer: payer });
    await expect(createMethod().admit(withHeaders({ authorization }))).resolves.toMatchObject({
      channel: { closeRequestedAt: 0 },
    });
  });
});

describe('an "open" credential', () => {
  it('confirms the channel by its transaction and is then a voucher, even of nothing', async () => {
    const channel = put(createChannel(payer));
    const { channelId } = channel;
    const payload = { action: 'open', type: 'hash', hash: openHash, salt: channel.salt };
    const authorization = authorize({ challenge: freshChallenge(), channelId, cumulative: 0n, signer: payer, payload });
    const admission = await createMethod().admit(withHeaders({ authorization }));
    expect(admission?.funds).toMatchObject({ voucher: { cumulativeAmount: 0n } });
    expect(book.upserts).toEqual([channelId]);
    expect(reads).toEqual([]);
  });
});

describe('a credential', () => {
  it('may come in Payment-Authorization, beside a bearer token', async () => {
    const { channelId } = put(createChannel(payer));
    const payment = authorize({ challenge: freshChallenge(), channelId, cumulative: 5n, signer: payer });
    const headers = { authorization: 'Bearer unused', 'payment-authorization': payment };
    const method = createMethod();
    expect(method.carries(headers)).toBe(true);
    expect(await method.admit(withHeaders(headers))).toMatchObject({ channel: { channelId } });
    expect(method.carries({ authorization: 'Bearer unused', 'payment-authorization': 'Bearer x' })).toBe(false);
  });

  it('of another scheme, or for a charge, is not ours', async () => {
    const charge = formatCredential({ challenge: { ...freshChallenge(), intent: 'charge' }, payload: {} });
    for (const authorization of [undefined, 'Bearer unused', 'Basic x', charge]) {
      expect(await createMethod().admit(withHeaders({ authorization }))).toBeUndefined();
    }
  });

  it('that is malformed, or asks for what this relay does not do, is refused', async () => {
    const challenge = freshChallenge();
    const { channelId } = put(createChannel(payer));
    await expectRefusal('Payment !!!', 'malformed_credential');
    await expectRefusal(formatCredential({ challenge, payload: {} }), 'malformed_credential');
    const vary = (payload: Record<string, unknown>) =>
      authorize({ challenge, channelId, cumulative: 5n, signer: payer, payload });
    await expectRefusal(vary({ cumulativeAmount: 5 }), 'malformed_credential');
    await expectRefusal(vary({ cumulativeAmount: (1n << 128n).toString() }), 'malformed_credential');
    await expectRefusal(vary({ action: 'topUp' }), 'malformed_credential');
    await expectRefusal(vary({ action: 'open', type: 'authorization' }), 'malformed_credential');
    await expectRefusal(vary({ action: 'open', type: 'permit2' }), 'unsupported_payment_action');
    await expectRefusal(vary({ deposit: { action: 'open', type: 'permit2' } }), 'unsupported_payment_action');
  });
});
