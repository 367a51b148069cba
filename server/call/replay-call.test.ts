import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CallAnswer, ChargeResult, StoredAnswer } from '../ledger/ledger.ts';
import {
  defer,
  directPayment,
  FakeLedger,
  makeCallDeps,
  makeRequest,
  MemorySink,
  someResult,
} from './call-fixtures.ts';
import { replayCall } from './replay-call.ts';
import { maxReplayedBytes, maxWaitingPerCall } from './running-calls.ts';
import type { Admission } from './types.ts';

const body = { model: 'small', messages: [] };
const kept: StoredAnswer = {
  contentType: 'application/json',
  headers: { 'cache-control': 'private, no-store', 'x-request-id': 'req_1' },
  body: Buffer.from('{"kept":true}'),
};

/** Replays the call "first", whose state the ledger tells in turn; the last one stays. */
function start(states: readonly CallAnswer[], options: { payment?: Partial<Admission>; callTimeoutMs?: number } = {}) {
  const ledger = new FakeLedger();
  let asked = 0;
  ledger.findAnswer = () => {
    asked += 1;
    return Promise.resolve(states[Math.min(asked, states.length) - 1]);
  };
  const router = { run: () => Promise.reject(new Error('nothing is called here')) };
  const deps = makeCallDeps({ ledger, router });
  deps.limits = { ...deps.limits, callTimeoutMs: options.callTimeoutMs ?? 10_000, drainTimeoutMs: 0 };
  const sink = new MemorySink();
  const request = makeRequest(body, { ...directPayment(), ...options.payment });
  return { deps, sink, asked: () => asked, replay: () => replayCall({ deps, request, sink }, 'first') };
}

const reserved: CallAnswer = { state: 'reserved', answer: null, result: null };
const result: ChargeResult = someResult('first', { payment: { paymentId: `0x${'77'.repeat(32)}`, captured: 20n } });
const charged: CallAnswer = { state: 'charged', answer: kept, result };

describe('the answer of an earlier call', () => {
  it('is given again as it was, with the receipt and what the payment adds', async () => {
    const { replay, sink } = start([charged]);
    expect(await replay()).toBe(true);
    expect([sink.status, sink.text]).toEqual([200, '{"kept":true}']);
    expect(sink.headers).toEqual({
      ...kept.headers,
      'content-type': 'application/json',
      'content-length': '13',
      'x-autopay-call-id': 'first',
      'x-autopay-receipt': result.signedReceipt,
      'x-autopay-cost': '20',
      'payment-receipt': 'paid-20',
      'idempotent-replayed': 'true',
    });
  });

  it('of a stream ends with its receipt and [DONE]', async () => {
    const stream = { ...kept, contentType: 'text/event-stream; charset=utf-8', body: Buffer.from('data: 1\n\n') };
    const { replay, sink } = start([{ ...charged, answer: stream }]);
    expect(await replay()).toBe(true);
    const receipt = result.signedReceipt;
    expect(sink.text).toBe(`data: 1\n\n: autopay-receipt ${receipt}\n\ndata: [DONE]\n\n`);
    expect(sink.headers).toMatchObject({ 'idempotent-replayed': 'true', 'x-autopay-call-id': 'first' });
    expect(sink.ended).toBe(true);
  });

  it('waits for the settlement as the first one did', async () => {
    const finish = () => Promise.reject(new AutoPayError('settlement_pending', 'Wait.', { facts: { amount: '20' } }));
    const { replay, sink } = start([charged], { payment: { finish } });
    await expect(replay()).rejects.toMatchObject({
      code: 'settlement_pending',
      facts: { amount: '20' },
      headers: { 'x-autopay-receipt': result.signedReceipt },
    });
    expect(sink.events).toEqual([]);
  });

  it('is not there if the call failed', async () => {
    const { replay, sink } = start([{ state: 'released', answer: null, result: null }]);
    expect(await replay()).toBe(false);
    expect(sink.events).toEqual([]);
  });

  it('leaves at the pace of the client, which is given up when it takes nothing', async () => {
    const long = { ...kept, body: Buffer.alloc(200_000, 'x') };
    const { deps, replay, sink } = start([{ ...charged, answer: long }]);
    deps.limits = { ...deps.limits, idleTimeoutMs: 50 };
    sink.blocked = new Promise(() => undefined);
    expect(await replay()).toBe(true);
    expect(sink.destroyed).toBe(true);
    expect(sink.writes).toHaveLength(1);
    // What it held is free again.
    expect(deps.running.beginReplay(maxReplayedBytes)).toBeDefined();
  });

  it('is not sent where too many are already', async () => {
    const { deps, replay, sink } = start([charged]);
    deps.running.beginReplay(maxReplayedBytes);
    await expect(replay()).rejects.toMatchObject({ code: 'overloaded' });
    expect(sink.events).toEqual([]);
  });

  it('that was not kept is an error with the receipt', async () => {
    const { replay } = start([{ ...charged, answer: null }]);
    await expect(replay()).rejects.toMatchObject({
      code: 'answer_not_kept',
      headers: { 'x-autopay-call-id': 'first', 'x-autopay-receipt': result.signedReceipt },
    });
  });
});

describe('a call under way', () => {
  it('of this process is waited for without asking the books', async () => {
    const { deps, replay, asked } = start([charged]);
    const gate = defer();
    const first = deps.running.run('first', () => gate.promise);
    const replayed = replay();
    await sleep(100);
    expect(asked()).toBe(0);
    gate.resolve();
    expect(await replayed).toBe(true);
    expect(asked()).toBe(1);
    await first;
  });

  it('elsewhere is asked for again, until it has ended', async () => {
    const { replay, asked, sink } = start([reserved, reserved, charged]);
    expect(await replay()).toBe(true);
    expect([asked(), sink.status]).toEqual([3, 200]);
  });

  it('is waited for no longer than a call may take, and not for a client that has gone', async () => {
    const impatient = start([reserved], { callTimeoutMs: 60 });
    await expect(impatient.replay()).rejects.toMatchObject({ code: 'idempotent_repeat', facts: { callId: 'first' } });
    const left = start([reserved]);
    const replayed = left.replay();
    await turn();
    left.sink.leave();
    expect(await replayed).toBe(true);
    expect(left.sink.status).toBeUndefined();
  });

  it('is waited for by a bounded number', async () => {
    const { deps, replay } = start([charged]);
    const ends = Array.from({ length: maxWaitingPerCall }, () => deps.running.beginWait('first'));
    await expect(replay()).rejects.toMatchObject({ code: 'idempotent_repeat' });
    ends[0]?.();
    expect(await replay()).toBe(true);
    // It has left its place.
    expect(deps.running.beginWait('first')).toBeDefined();
  });
});
