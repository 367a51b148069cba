import { beforeEach, describe, expect, test } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';

let breaker: CircuitBreaker;
beforeEach(() => {
  breaker = new CircuitBreaker({ allowedFails: 2, restMs: 5_000, mostRestMs: 15_000 });
});

function failAt(...times: number[]): void {
  for (const atMs of times) {
    breaker.fail(breaker.begin(atMs), atMs);
  }
}

test('stays closed up to the allowed failures of a minute', () => {
  failAt(0, 1_000);
  expect(breaker.admits(1_000)).toBe(true);
  // The first two are forgotten by then.
  failAt(62_000, 63_000);
  expect(breaker.admits(63_000)).toBe(true);
  failAt(64_000);
  expect(breaker.admits(64_000)).toBe(false);
  expect(breaker.admitsAtMs(64_000)).toBe(69_000);
});

describe('after its rest', () => {
  beforeEach(() => failAt(0, 0, 0));

  test('one call tries it, and no second one meanwhile', () => {
    expect(breaker.admits(4_999)).toBe(false);
    expect(breaker.admits(5_000)).toBe(true);
    const probe = breaker.begin(5_000);
    expect(breaker.admits(5_000)).toBe(false);
    breaker.pass(probe);
    expect(breaker.admits(5_000)).toBe(true);
    expect(breaker.isOpen).toBe(false);
  });

  test('a probe that fails doubles the rest, up to the most', () => {
    failAt(5_000);
    expect(breaker.admitsAtMs(5_000)).toBe(15_000);
    failAt(15_000);
    expect(breaker.admitsAtMs(15_000)).toBe(30_000);
    failAt(30_000);
    expect(breaker.admitsAtMs(30_000)).toBe(45_000);
  });

  test('an answer that only begins does not shorten the next rest', () => {
    breaker.pass(breaker.begin(5_000));
    failAt(6_000, 6_000, 6_000);
    expect(breaker.admitsAtMs(6_000)).toBe(16_000);
  });

  test('an earlier call that ends well meanwhile does not end it', () => {
    breaker.pass('call');
    breaker.succeed();
    expect(breaker.admits(1_000)).toBe(false);
  });

  test('a success begins anew', () => {
    failAt(5_000);
    breaker.pass(breaker.begin(15_000));
    breaker.succeed();
    failAt(16_000, 16_000);
    expect(breaker.admits(16_000)).toBe(true);
    failAt(16_000);
    expect(breaker.admitsAtMs(16_000)).toBe(21_000);
  });

  test('a probe that was given up leaves the next call to try', () => {
    breaker.abandon(breaker.begin(5_000));
    expect(breaker.admits(5_000)).toBe(true);
  });

  test('earlier calls that fail late, or are given up, say nothing of the probe', () => {
    const probe = breaker.begin(5_000);
    // Whatever the calls that were under way before come to.
    for (let late = 0; late < 10; late += 1) {
      breaker.fail('call', 6_000);
      breaker.abandon('call');
      breaker.pass('call');
    }
    expect(breaker.admits(6_000)).toBe(false);
    breaker.pass(probe);
    expect(breaker.admits(7_000)).toBe(true);
    expect(breaker.isOpen).toBe(false);
  });

  test('other evidence ends it early, for a probe', () => {
    breaker.endRest(1_000);
    expect(breaker.admits(1_000)).toBe(true);
    failAt(1_000);
    expect(breaker.admits(10_999)).toBe(false);
  });
});

test('rests also where calls succeed in between', () => {
  failAt(0, 1_000);
  breaker.succeed();
  failAt(2_000);
  expect(breaker.admits(2_000)).toBe(false);
});

test('a pause that was asked for is kept, whatever other evidence there is', () => {
  breaker.rest('call', 0, 7_000);
  breaker.endRest(1_000);
  expect(breaker.admitsAtMs(1_000)).toBe(7_000);
  breaker.rest('call', 10_000, null);
  breaker.endRest(11_000);
  expect(breaker.admits(11_000)).toBe(true);
});

test('rests as long as it was asked to, and by itself where no time was said', () => {
  breaker.rest('call', 0, 7_000);
  expect(breaker.admitsAtMs(0)).toBe(7_000);
  breaker.rest('call', 0, 1_000);
  expect(breaker.admitsAtMs(0)).toBe(7_000);
  breaker.rest('call', 10_000, null);
  expect(breaker.admitsAtMs(10_000)).toBe(15_000);
  breaker.rest('call', 20_000, 86_400_000);
  expect(breaker.admitsAtMs(20_000)).toBe(35_000);
});
