import { describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { createApiKey, hashApiKey } from '../../keys/api-key.ts';
import { someKey, someKeyChannel, someProject, testPayer, testTokens } from '../../keys/key-fixtures.ts';
import { createRateLimits } from '../../keys/rate-limits.ts';
import type { KeyWithProject, StoredKey, StoredProject } from '../../ledger/key-ledger.ts';
import type { ChannelState, ChargeResult } from '../../ledger/ledger.ts';
import type { SettlementOutcome } from '../../settlement/settle-payment.ts';
import type { PaymentRequest } from '../payment-method.ts';
import { createKeyMethod } from './key-method.ts';

const nowMs = 1_790_000_000_000;
const callId = '01a1b2c3-0000-7000-8000-000000000001';
const hash: Hex = `0x${'fe'.repeat(32)}`;

function setUp(
  options: {
    key?: Partial<StoredKey>;
    project?: Partial<StoredProject>;
    channel?: ChannelState | null;
    outcome?: SettlementOutcome;
  } = {},
) {
  const { channel = someKeyChannel(), outcome = { state: 'settled', transactionHash: hash } } = options;
  const apiKey = createApiKey();
  const found: KeyWithProject = {
    key: someKey({ secretHash: hashApiKey(apiKey), ...options.key }),
    project: options.project ? someProject(options.project) : null,
    channelId: channel && channel.channelId,
  };
  const [settled, forgotten]: Hex[][] = [[], []];
  const method = createKeyMethod({
    cache: { find: async (secretHash) => (secretHash === found.key.secretHash ? found : undefined) },
    rates: createRateLimits(() => nowMs),
    ledger: { recallChannel: () => undefined, getChannel: async () => channel ?? undefined },
    allowances: {
      read: async () => ({ available: 30n, allowance: 50n, balance: 40n, leftToday: 30n }),
      forget: (payer) => void forgotten?.push(payer),
    },
    settlements: {
      settle: async (paymentId) => {
        settled?.push(paymentId);
        return outcome;
      },
    },
    autoPayLLM: `0x${'a1'.repeat(20)}`,
    nowMs: () => nowMs,
  });
  const request = (body: object = { model: 'sim-small' }): PaymentRequest => ({
    ...{ headers: { authorization: `Bearer ${apiKey}` }, body: Buffer.from(JSON.stringify(body)), path: '/', callId },
    quotes: () => undefined,
  });
  return { apiKey, forgotten, method, request, settled };
}

function charged(
  overrides: { paymentId?: Hex; captured?: bigint; callId?: string; tokens?: number } = {},
): ChargeResult {
  const { paymentId, captured = 5n, tokens = 10 } = overrides;
  return {
    receipt: { callId: overrides.callId ?? callId, usage: { prompt: tokens, completion: 0 } },
    payment: paymentId ? { paymentId, captured } : null,
  } as unknown as ChargeResult;
}

describe('an API key on a channel', () => {
  it('is charged to the headroom of its payer, and counts in its own scope and its project’s', async () => {
    const { method, request } = setUp({
      key: { budget: 70n, budgetDuration: '1d', projectId: 'prj_1' },
      project: { budget: 900n },
      channel: someKeyChannel({ charged: 100_000n, reserved: 50_000n }),
    });
    expect(await method.admit(request())).toMatchObject({
      ...{
        funds: { kind: 'key', channelId: `0x${'77'.repeat(32)}` },
        token: testTokens[0].address,
        headroom: 450_000n,
      },
      scopes: [
        { id: 'key:key_1', window: 1_790_000_000, limit: 70n, endsAtSeconds: 1_790_086_400 },
        { id: 'project:prj_1', window: 0, limit: 900n, endsAtSeconds: null },
      ],
      ...{ keyId: 'key_1', idempotencyScope: 'key:key_1', wantsPaymentEvents: false },
    });
  });

  it('has no headroom beyond the deposit, and none below zero', async () => {
    const beyond = setUp({ channel: someKeyChannel({ acceptedCumulative: 600_000n, deposit: 500_000n }) });
    expect(await beyond.method.admit(beyond.request())).toMatchObject({ headroom: 500_000n });
    const overdrawn = setUp({ channel: someKeyChannel({ acceptedCumulative: 0n, charged: 1n }) });
    expect(await overdrawn.method.admit(overdrawn.request())).toMatchObject({ headroom: 0n });
  });

  it('that its payer has posted nothing for says what to do', async () => {
    const { method, request } = setUp({ channel: null });
    await expect(method.admit(request())).rejects.toMatchObject({ code: 'insufficient_headroom', status: 402 });
  });

  it('that is not known is refused as OpenAI refuses it', async () => {
    const { method, request } = setUp();
    for (const bad of [createApiKey(), 'ap_sk_', 'ap_sk_short']) {
      const asked = { ...request(), headers: { authorization: `Bearer ${bad}` } };
      await expect(method.admit(asked)).rejects.toMatchObject({ code: 'invalid_api_key', status: 401 });
    }
  });

  it('is left alone where the bearer is no key of ours', async () => {
    const { method, request } = setUp();
    const asked = { ...request(), headers: { authorization: 'Bearer unused' } };
    expect(method.carries(asked.headers)).toBe(false);
    expect(await method.admit(asked)).toBeUndefined();
  });

  it('that has expired, or may not call the model, is refused', async () => {
    const expired = setUp({ key: { expiresAtMs: nowMs } });
    await expect(expired.method.admit(expired.request())).rejects.toMatchObject({
      code: 'api_key_expired',
      status: 403,
    });
    const limited = setUp({ key: { models: ['a', 'b'] }, project: { models: ['b', 'c'] } });
    await expect(limited.method.admit(limited.request({ model: 'a' }))).rejects.toMatchObject({
      ...{ code: 'model_not_allowed', status: 403, facts: { allowedModels: 'b' } },
    });
    await expect(limited.method.admit(limited.request({ model: 'c' }))).rejects.toMatchObject({ status: 403 });
    expect(await limited.method.admit(limited.request({ model: 'b' }))).toBeTruthy();
    // What names no model is refused for that, by the call itself.
    expect(await limited.method.admit(limited.request({}))).toBeTruthy();
  });

  it('may call the same models where another one answers', async () => {
    const limited = setUp({ key: { models: ['a', 'b'] }, project: { models: ['b', 'c'] } });
    const admission = await limited.method.admit(limited.request({ model: 'b' }));
    expect(['a', 'b', 'c'].map((model) => admission?.mayCall?.(model))).toEqual([false, true, false]);
    const { method, request } = setUp();
    expect((await method.admit(request()))?.mayCall?.('anything')).toBe(true);
  });

  it('has its rates, of which an answer that is given again uses nothing', async () => {
    const { method, request } = setUp({ key: { rpmLimit: 3, tpmLimit: 100 } });
    const first = await method.admit(request());
    const second = await method.admit(request());
    if (!first || !second) throw new Error('not admitted');
    await method.finish(first, charged({ callId: '01a1b2c3-0000-7000-8000-000000000002', tokens: 1_000 }));
    await method.admit(request());
    await expect(method.admit(request())).rejects.toMatchObject({ code: 'rate_limit_exceeded', status: 429 });
    const byTokens = setUp({ key: { tpmLimit: 100 } });
    const admission = await byTokens.method.admit(byTokens.request());
    if (!admission) throw new Error('not admitted');
    await byTokens.method.finish(admission, charged({ tokens: 100 }));
    await expect(byTokens.method.admit(byTokens.request())).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  });
});

describe('an API key in allowance mode', () => {
  const key = { mode: 'allowance', token: testTokens[1].address } as const;

  it('pays each call by itself, up to what the chain lets the relay take', async () => {
    const { method, request } = setUp({ key, channel: null });
    const admission = await method.admit(request());
    expect(admission).toMatchObject({
      ...{ token: testTokens[1].address, headroom: 30n, channel: null, keyId: 'key_1' },
      funds: { kind: 'direct', payment: { kind: 'allowance', payer: testPayer, available: 30n } },
    });
    const other = await method.admit({ ...request(), callId: callId.replace(/1$/, '2') });
    expect(other?.funds).not.toEqual(admission?.funds);
    expect((await method.admit(request()))?.funds).toEqual(admission?.funds);
  });

  it('waits for the settlement, and reads the allowance anew after it', async () => {
    const { forgotten, method, request, settled } = setUp({ key });
    const admission = await method.admit(request());
    if (!admission) throw new Error('not admitted');
    await method.finish(admission, charged({ paymentId: hash }));
    expect(settled).toEqual([hash]);
    expect(forgotten).toEqual([testPayer]);
    await method.finish(admission, charged({ paymentId: hash, captured: 0n }));
    expect(settled).toHaveLength(1);
  });

  it('tells of a settlement that is pending or lost', async () => {
    for (const [outcome, code, status] of [
      [{ state: 'pending' }, 'settlement_pending', 503],
      [{ state: 'lost', reason: 'the allowance was taken back' }, 'settlement_failed', 402],
    ] as const) {
      const { method, request } = setUp({ key, outcome });
      const admission = await method.admit(request());
      if (!admission) throw new Error('not admitted');
      await expect(method.finish(admission, charged({ paymentId: hash }))).rejects.toMatchObject({ code, status });
    }
  });
});
