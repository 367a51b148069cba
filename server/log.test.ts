import { BaseError } from 'viem';
import { expect, it } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { describeError } from './log.ts';

it('describes an error with its code, its causes and where it was made', () => {
  const cause = new BaseError('The request failed.', { metaMessages: ['URL: https://rpc.example/?key=hunter2'] });
  expect(cause.message).toContain('hunter2');
  const facts = describeError(new AutoPayError('chain_unavailable', 'Try again.', { cause }));
  expect(facts).toMatchObject({
    name: 'AutoPayError',
    code: 'chain_unavailable',
    message: 'Try again.',
    cause: { message: 'The request failed.' },
  });
  expect(facts.at?.[0]).toContain('log.test.ts');
  expect(JSON.stringify(facts)).not.toContain('hunter2');
});

it('bounds what it says', () => {
  let error = new Error('x'.repeat(10_000));
  for (let depth = 0; depth < 50; depth += 1) error = new Error(`cause ${depth}`, { cause: error });
  expect(JSON.stringify(describeError(error)).length).toBeLessThan(10_000);
  expect(describeError('text')).toEqual({ name: 'string', message: 'text' });
});
