import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import type { ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { chatBody, type RawPayer } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/** Models of the simulator that fail, and the status that a client sees. */
const faults = [
  ['sim-small?fault=status:429', 429],
  ['sim-small?fault=status:500', 500],
  ['sim-small?fault=status:400', 400],
  ['sim-small?fault=refuse', 502],
] as const;
const deposit = 1_000_000n;
const quote = 1_000n;

let stack: TestStack;
let payer: RawPayer;
let channelId: Hex;
let challenge: ChallengeEcho;

/** The error of an answer that must be one. */
async function errorOf(response: Response): Promise<{ status: number; code: string; error: Record<string, unknown> }> {
  const body = (await response.json()) as { error: Record<string, unknown> };
  expect(typeof body.error['message'], JSON.stringify(body)).toBe('string');
  return { status: response.status, code: String(body.error['code']), error: body.error };
}

/** A call whose quote is beyond every headroom here, so that it is always refused. */
const dear = chatBody({ max_tokens: 16_000 });

/** What was charged in all, by the relay's own word on the channel (`spent`), which a refusal states. */
async function spent(): Promise<bigint> {
  const { error } = await errorOf(await payer.pay({ channelId, cumulativeAmount: 0n, challenge, body: dear }));
  return BigInt(String(error['spent']));
}

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: faults.map(([model]) => model) });
  payer = stack.payer;
  channelId = await payer.openChannel({ deposit });
  challenge = await payer.challenge();
});
afterAll(() => stack.stop());

describe('bad input costs nothing and says what to do', () => {
  it('answers a call without payment with 402, OpenAI’s error shape and an MPP challenge', async () => {
    const response = await payer.post(chatBody());
    expect(response.headers.get('x-autopay-call-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const [offered] = parseChallenges(response.headers.get('www-authenticate') ?? '');
    expect(offered).toMatchObject({ method: 'evm', intent: 'session' });
    const { status, code, error } = await errorOf(response);
    expect({ status, code }).toEqual({ status: 402, code: 'payment_required' });
    expect(error).toMatchObject({ type: 'payment_required', param: null, recipient: payer.scope.payee.toLowerCase() });
    expect(BigInt(String(error['quote']))).toBeGreaterThan(0n);
  });

  const malformed: [name: string, body: string | Buffer<ArrayBuffer>, status: number, code: string][] = [
    ['malformed JSON', '{"model":', 400, 'invalid_json'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'invalid_json'],
    ['an array', '[]', 400, 'invalid_json'],
    ['no messages', '{"model":"sim-small"}', 400, 'invalid_request'],
    ['a limit of the wrong type', chatBody({ max_tokens: 'many' }), 400, 'invalid_request'],
    ['a negative limit', chatBody({ max_tokens: -1 }), 400, 'invalid_request'],
    ['a stream flag of the wrong type', chatBody({ stream: 'yes' }), 400, 'invalid_request'],
    ['an unknown model', chatBody({ model: 'no-such-model' }), 404, 'model_not_found'],
    ['a key given twice', '{"model":"sim-small","model":"sim-free","messages":[]}', 400, 'duplicate_key'],
    ['a body that is too long', JSON.stringify({ model: 'x'.repeat(5_000_000) }), 413, 'body_too_large'],
  ];
  it.each(malformed)('refuses %s', async (_name, body, status, code) => {
    expect(await errorOf(await payer.post(body))).toMatchObject({ status, code });
    // Paid for, it is refused alike, and its voucher is not used up.
    const authorization = payer.authorization({ challenge, channelId, cumulativeAmount: quote });
    expect(await errorOf(await payer.post(body, { authorization }))).toMatchObject({ status, code });
  });

  it('refuses another content type and unknown paths', async () => {
    const wrongType = await payer.post(chatBody(), { 'content-type': 'text/plain' });
    expect(await errorOf(wrongType)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    expect(await errorOf(await fetch(`${payer.scope.relayUrl}/v1/nothing`))).toMatchObject({
      status: 404,
      code: 'not_found',
    });
    expect(await errorOf(await fetch(`${payer.scope.relayUrl}/v1/chat/completions`))).toMatchObject({
      status: 405,
      code: 'method_not_allowed',
    });
  });

  it('refuses credentials that are malformed, foreign or expired', async () => {
    const post = (authorization: string) => payer.post(chatBody(), { authorization });
    expect(await errorOf(await post('Payment !!!'))).toMatchObject({ status: 402, code: 'malformed_credential' });
    const foreign = { ...challenge, id: createHmac('sha256', randomBytes(32)).update('x').digest('base64url') };
    const pay = (echo: ChallengeEcho) =>
      post(payer.authorization({ challenge: echo, channelId, cumulativeAmount: quote }));
    const response = await pay(foreign);
    expect(response.headers.get('content-type')).toMatch(/application\/problem\+json/);
    // One for each token.
    const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
    expect(challenges.filter(({ intent }) => intent === 'session')).toHaveLength(2);
    expect(await errorOf(response)).toMatchObject({ status: 402, code: 'challenge_invalid' });
    // An expiry that was moved is no longer our challenge.
    const prolonged = { ...challenge, expires: '2099-01-01T00:00:00.000Z' };
    expect(await errorOf(await pay(prolonged))).toMatchObject({ status: 402, code: 'challenge_invalid' });
  });

  it('refuses a wrong signature and a foreign signer, whatever the amount', async () => {
    const stranger = toHex(randomBytes(32));
    for (const cumulativeAmount of [0n, quote, deposit]) {
      const signature = payer.sign(channelId, cumulativeAmount, stranger);
      const refused = await payer.pay({ channelId, cumulativeAmount, challenge, signature });
      expect(await errorOf(refused)).toMatchObject({ status: 402, code: 'signer_mismatch' });
    }
    const signature: Hex = `0x${'11'.repeat(65)}`;
    expect(await errorOf(await payer.pay({ channelId, cumulativeAmount: quote, challenge, signature }))).toMatchObject({
      status: 402,
      code: 'invalid_signature',
    });
  });

  it('refuses an unknown channel, and a channel of another payee', async () => {
    const unknown = toHex(randomBytes(32));
    expect(await errorOf(await payer.pay({ channelId: unknown, cumulativeAmount: quote, challenge }))).toMatchObject({
      status: 410,
      code: 'channel_not_found',
    });
    const foreign = await payer.openChannel({ deposit: 10_000n, payee: payer.address });
    expect(await errorOf(await payer.pay({ channelId: foreign, cumulativeAmount: quote, challenge }))).toMatchObject({
      status: 402,
      code: 'channel_wrong_payee',
    });
  });

  it('refuses more than the deposit, and less than was spent', async () => {
    expect(await errorOf(await payer.pay({ channelId, cumulativeAmount: deposit + 1n, challenge }))).toMatchObject({
      status: 402,
      code: 'amount_exceeds_deposit',
    });
    const { status, code, error } = await errorOf(await payer.pay({ channelId, cumulativeAmount: 0n, challenge }));
    expect({ status, code }).toEqual({ status: 402, code: 'insufficient_headroom' });
    expect(error).toMatchObject({ channelId, deposit: deposit.toString() });
    expect(BigInt(String(error['requiredCumulative']))).toBeGreaterThan(0n);
  });

  it('admits one call for one voucher, also when the same header is sent 20 times at once', async () => {
    const before = await spent();
    const cumulativeAmount = before + quote;
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => payer.pay({ channelId, cumulativeAmount, challenge })),
    );
    const served = responses.filter((response) => response.status === 200);
    expect(served).toHaveLength(1);
    for (const response of responses) {
      if (response.status === 200) continue;
      expect(response.headers.get('x-should-retry')).toBe('false');
      expect(await errorOf(response)).toMatchObject({ status: 409, code: 'voucher_already_used' });
    }
    const charged = (await spent()) - before;
    expect(charged).toBeGreaterThan(0n);
    expect(charged).toBeLessThanOrEqual(quote);
  });

  it('refuses a channel whose deposit does not cover the quote', async () => {
    const small = await payer.openChannel({ deposit: 1n });
    const { status, code, error } = await errorOf(
      await payer.pay({ channelId: small, cumulativeAmount: 1n, challenge }),
    );
    expect({ status, code }).toEqual({ status: 402, code: 'insufficient_headroom' });
    expect(BigInt(String(error['requiredCumulative']))).toBeGreaterThan(1n);
  });

  it('passes upstream errors on with their status, uncharged', async () => {
    const before = await spent();
    const next = { value: before + 2n * quote };
    const call = (model: string) => {
      next.value += quote;
      return payer.pay({ channelId, cumulativeAmount: next.value, challenge, body: chatBody({ model }) });
    };
    for (const [model, status] of faults) expect((await errorOf(await call(model))).status, model).toBe(status);
    expect(await spent()).toBe(before);
  });

  it('leaves books that agree', async () => {
    const { ok, claims } = await checkBooks(stack.fsckOptions);
    expect(claims.filter((claim) => !claim.ok)).toEqual([]);
    expect(ok).toBe(true);
  });
});
