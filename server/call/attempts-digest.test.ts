import canonicalize from 'canonicalize';
import { expect, test } from 'vitest';
import type { AttemptRecord } from '../ledger/ledger.ts';
import { digestAttempts, encodeAttempts } from './attempts-digest.ts';

const attempts: AttemptRecord[] = [
  {
    number: 1,
    provider: 'first "ä"\n\u007f',
    deployment: 'first@eu',
    startedAtMs: 1,
    endedAtMs: 2,
    outcome: 'timeout',
    status: null,
    usage: null,
    usageKind: 'unknown',
  },
  {
    number: 2,
    provider: 'second',
    deployment: 'second@us',
    startedAtMs: 2,
    endedAtMs: 1_700_000_000_000,
    outcome: 'ok',
    status: 200,
    usage: {
      prompt: 1,
      cachedPrompt: 2,
      cacheWrite: 3,
      audioPrompt: 4,
      completion: 5,
      reasoning: 6,
      audioCompletion: 7,
    },
    usageKind: 'exact',
  },
];

test('is RFC 8785 JSON of the records', () => {
  expect(encodeAttempts(attempts)).toBe(canonicalize(attempts));
  expect(encodeAttempts([])).toBe('[]');
});

test('is hashed with SHA-256', () => {
  // printf '[]' | sha256sum
  expect(digestAttempts([])).toBe('0x4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945');
});
