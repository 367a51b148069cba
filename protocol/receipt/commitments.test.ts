import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { commit, createSalt, startCommitment } from './commitments.ts';

const salt = Buffer.alloc(32, 1);

test.each(['request', 'response'] as const)(
  'a commitment is SHA-256 of its label, the salt and the bytes: %s',
  (subject) => {
    for (const length of [0, 1, 65_536, 65_537, 200_000]) {
      const bytes = Buffer.alloc(length, 'x');
      const whole = Buffer.concat([Buffer.from(`autopay-${subject}-v1`), salt, bytes]);
      const expected = createHash('sha256').update(whole).digest('hex');
      expect(commit({ subject, salt, bytes }).toString('hex')).toBe(expected);
      // As the bytes of a stream pass.
      const running = startCommitment(subject, salt);
      for (const part of [bytes.subarray(0, 1), bytes.subarray(1)]) running.update(part);
      expect(running.digest('hex')).toBe(expected);
    }
  },
);

test('no two salts are alike', () => {
  const salts = Array.from({ length: 1_000 }, () => createSalt().toString('hex'));
  expect(new Set(salts).size).toBe(salts.length);
  expect(salts.every((one) => one.length === 64)).toBe(true);
});
