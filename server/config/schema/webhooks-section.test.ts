import { expect, test } from 'vitest';
import { webhooksSchema } from './webhooks-section.ts';

const faultsOf = (url: string) => {
  const { error } = webhooksSchema.safeParse([{ url, secretEnv: 'HOOK' }]);
  return error?.issues.map(({ message }) => message) ?? [];
};

test.each([
  'https://receiver.example/receipts?x=1',
  'http://127.0.0.1:9000/r',
  'http://localhost:9000/r',
  'http://[::1]:9000/r',
])('%s is taken', (url) => {
  expect(faultsOf(url)).toEqual([]);
});

test.each([
  ['http://receiver.example/', 'must be https, unless the receiver is on this host'],
  ['http://169.254.169.254/latest', 'must be https, unless the receiver is on this host'],
  ['http://127.0.0.1.example/', 'must be https, unless the receiver is on this host'],
  ['https://user:pass@receiver.example/', 'must not carry credentials; the receiver knows the relay by its signatures'],
  ['https://receiver.example/#a', 'must not have a fragment'],
  ['file:///etc/passwd', 'must be an https URL'],
])('%s is refused', (url, fault) => {
  expect(faultsOf(url)).toContain(fault);
});

test('the secret itself is no name of a variable', () => {
  const parsed = webhooksSchema.safeParse([{ url: 'https://a.example/', secretEnv: 'whsec_AAAA+BBBB=' }]);
  expect(parsed.success).toBe(false);
});
