import { expect, it } from 'vitest';
import { AutoPayError } from './auto-pay-error.ts';
import { orUndefined } from './or-undefined.ts';

it('takes an error of ours for nothing, and no other', () => {
  const fail = (error: Error) => () => {
    throw error;
  };
  expect(orUndefined(() => 1)).toBe(1);
  expect(orUndefined(fail(new AutoPayError('malformed_credential', 'no base64')))).toBeUndefined();
  expect(() => orUndefined(fail(new TypeError('a defect')))).toThrow('a defect');
});
