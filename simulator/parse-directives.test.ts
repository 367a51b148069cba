import { expect, test } from 'vitest';
import { parseDirectives } from './parse-directives.ts';

const parse = (suffix: string | null, header: string | null = null) => parseDirectives({ suffix, header });

test('nothing asked for is a plain answer', () => {
  expect(parse(null)).toEqual({
    latencyMs: 0,
    tokensPerSecond: null,
    tokens: null,
    barrier: null,
    cachedTokens: 0,
    reasoningTokens: 0,
    tools: [],
    retryAfterS: null,
    retryAfterDateS: null,
    retryAfterMs: null,
    errorCode: null,
    flap: null,
    evidence: null,
    faults: new Map(),
  });
});

test('reads every key, joined by & or ;', () => {
  const all =
    'latency=50&tps=2.5;tokens=7&barrier=a.b-c:3;cached=4&reasoning=5&tool=f,g;retryAfter=9;retryAfterDate=8&retryAfterMs=7;code=a_b&flap=2&evidence=flip&fault=no-done,cut-after:3';
  expect(parse(all)).toEqual({
    latencyMs: 50,
    tokensPerSecond: 2.5,
    tokens: 7,
    barrier: { name: 'a.b-c', count: 3 },
    cachedTokens: 4,
    reasoningTokens: 5,
    tools: ['f', 'g'],
    retryAfterS: 9,
    retryAfterDateS: 8,
    retryAfterMs: 7,
    errorCode: 'a_b',
    flap: 2,
    evidence: 'flip',
    faults: new Map([
      ['no-done', 0],
      ['cut-after', 3],
    ]),
  });
});

test('the header wins over the suffix, key by key', () => {
  const { latencyMs, tokens } = parse('latency=50&tokens=7', 'latencyMs=60');
  expect({ latencyMs, tokens }).toEqual({ latencyMs: 60, tokens: 7 });
});

test('slow-drip has a default pause', () => {
  expect(parse('fault=slow-drip').faults.get('slow-drip')).toBe(2);
  expect(parse('fault=slow-drip:9').faults.get('slow-drip')).toBe(9);
});

test.each([
  ['speed=3', /'speed=3' is not a directive/],
  ['latency', /'latency' is not a directive/],
  ['constructor=1', /is not a directive/],
  ['latency=600001', /latency must be a whole number from 0 to 600000/],
  ['tokens=-1', /tokens must be/],
  ['tokens=1e3', /tokens must be/],
  ['tps=0', /tps must be/],
  ['barrier=a', /barrier must be NAME:N/],
  ['barrier=a:0', /barrier must be a whole number from 1/],
  ['fault=explode', /'explode' is not a fault/],
  ['fault=cut-after', /needs an argument/],
  ['fault=no-done:1', /takes no argument/],
  ['fault=status:200', /status must be a whole number from 400 to 599/],
])('refuses %s', (suffix, message) => {
  expect(() => parse(suffix)).toThrow(expect.objectContaining({ status: 400, code: 'invalid_sim_directive' }));
  expect(() => parse(suffix)).toThrow(message);
});
