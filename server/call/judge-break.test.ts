import { expect, test } from 'vitest';
import { judgeBreak } from './judge-break.ts';
import { TransportError, type TransportFailure } from './transport.ts';

type Watch = Parameters<typeof judgeBreak>[0];

function judge(failure: TransportFailure, watch: Partial<Watch> = {}): ReturnType<typeof judgeBreak> {
  return judgeBreak({ clientGone: false, heldBack: false, reason: null, ...watch }, new TransportError(failure, 'x'));
}

test('the relay’s limits and the client’s leaving are charged', () => {
  expect(judge('too_long')).toBe('answer_too_long');
  expect(judge('too_long', { clientGone: true })).toBe('client_gone');
  expect(judge('aborted', { reason: 'call_timeout' })).toBe('call_timeout');
  expect(judge('aborted', { reason: 'drain_timeout', clientGone: true })).toBe('client_gone');
});

test('failures of the provider are not, unless the client kept its answer from being read', () => {
  for (const failure of ['truncated', 'timeout'] as const) {
    expect(judge(failure)).toBeNull();
    expect(judge(failure, { clientGone: true })).toBeNull();
    expect(judge(failure, { heldBack: true })).toBe('client_too_slow');
    expect(judge(failure, { heldBack: true, clientGone: true })).toBe('client_gone');
  }
});

test('failures of the relay are not', () => {
  expect(judge('aborted', { reason: 'not_durable' })).toBeNull();
  expect(judge('aborted')).toBeNull();
  const watch: Watch = { clientGone: true, heldBack: true, reason: 'drain_timeout' };
  expect(judgeBreak(watch, new Error('a bug'))).toBeNull();
});
