import { expect, it } from 'vitest';
import type { CheckedClaim } from '../../fsck/verification.ts';
import { judgeLogged } from './audit-check.ts';

const claim = (name: CheckedClaim['name'], ok: boolean | null): CheckedClaim => ({ name, ok, detail: '' });
const found = [claim('anchored', true), claim('blocks_content_addressed', true), claim('codec', true)];
const whole = [
  ...[claim('included', true), claim('included_by_contract', true), claim('receipt_logged', true)],
  claim('consistent', null),
];

it('a disclosed call is logged if each claim of the log holds', () => {
  expect(judgeLogged([...found, ...whole])).toMatchObject({ ok: true });
  expect(judgeLogged([...found, ...whole.with(2, claim('receipt_logged', false))]).ok).toBe(false);
  expect(judgeLogged([...found, ...whole.with(1, claim('included_by_contract', null))]).ok).toBe(false);
});

it('an entry that is no receipt is not taken for the call, though nothing else was come to', () => {
  const { ok, claims } = judgeLogged(found.with(2, claim('codec', false)));
  expect(ok).toBe(false);
  expect(claims.map(({ name }) => name)).toEqual(['anchored', 'blocks_content_addressed', 'codec']);
});
