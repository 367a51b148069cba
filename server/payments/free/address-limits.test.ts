import { expect, test } from 'vitest';
import { createAddressLimits, networkOf } from './address-limits.ts';

const refused = expect.objectContaining({ code: 'rate_limit_exceeded' });

function setUp() {
  const clock = { ms: Date.parse('2026-11-21T23:58:30Z') };
  return { clock, limits: createAddressLimits({ requestsPerMinute: 2, requestsPerDay: 3 }, () => clock.ms) };
}

test('an address has its calls of a minute, and those of a day', () => {
  const { clock, limits } = setUp();
  limits.take('192.0.2.1');
  limits.take('192.0.2.1');
  expect(() => limits.take('192.0.2.1')).toThrow(expect.objectContaining({ facts: { retryAfterSeconds: 30 } }));
  clock.ms += 30_000;
  limits.take('192.0.2.1');
  expect(() => limits.take('192.0.2.1')).toThrow(expect.objectContaining({ facts: { retryAfterSeconds: 60 } }));
  clock.ms += 60_000;
  limits.take('192.0.2.1');
});

test('addresses do not share them, but those of one IPv6 network do', () => {
  const { limits } = setUp();
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1']) limits.take(address);
  limits.take('2001:db8:0:0:ffff::2');
  expect(() => limits.take('2001:db8::3')).toThrow(refused);
  limits.take('2001:db8:0:1::9');
});

test('what counts as one network', () => {
  expect(networkOf('192.0.2.1')).toBe('192.0.2.1');
  expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(networkOf('::1')).toBe('0:0:0:0::/64');
  expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  expect(networkOf('2001:DB8:0:A::1')).toBe('2001:db8:0:a::/64');
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(networkOf('64:ff9b::192.0.2.1')).toBe('64:ff9b:0:0::/64');
});
