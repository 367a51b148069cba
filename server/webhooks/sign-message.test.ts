import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { readWebhookSecrets, signMessage } from './sign-message.ts';
import { someSecret } from './webhook-fixture.ts';

function secretsOf(text: string): Uint8Array[] {
  const secrets = readWebhookSecrets(text);
  if (!secrets) throw new Error('no secrets');
  return secrets;
}

test('the Standard Webhooks library accepts the signature, and no other body, id or time', () => {
  const secret = someSecret();
  const body = '{"type":"receipt.created","data":"é"}';
  const message = { id: 'receipt_1', timestamp: Math.floor(Date.now() / 1_000), body };
  const headers = signMessage(message, secretsOf(secret));
  const receiver = new Webhook(secret);
  expect(receiver.verify(body, headers)).toEqual(JSON.parse(body));
  const refused = [
    [`${body} `, headers],
    [body, { ...headers, 'webhook-id': 'receipt_2' }],
    [body, { ...headers, 'webhook-timestamp': String(message.timestamp + 1) }],
  ] as const;
  for (const [sent, told] of refused) expect(() => receiver.verify(sent, told)).toThrow(WebhookVerificationError);
});

test('while secrets are exchanged, a receiver with either of them accepts it', () => {
  const [old, next] = [someSecret(), someSecret()];
  const headers = signMessage(
    { id: 'a', timestamp: Math.floor(Date.now() / 1_000), body: '{}' },
    secretsOf(`${old} ${next}`),
  );
  for (const secret of [old, next]) expect(new Webhook(secret).verify('{}', headers)).toEqual({});
  expect(() => new Webhook(someSecret()).verify('{}', headers)).toThrow(WebhookVerificationError);
});

test.each([
  ['', 'empty'],
  [Buffer.alloc(32).toString('base64'), 'without its prefix'],
  [`whsec_${Buffer.alloc(23).toString('base64')}`, 'too short'],
  [`whsec_${Buffer.alloc(65).toString('base64')}`, 'too long'],
  [`${someSecret()} whsec_`, 'one of two'],
])('%s is no secret: %s', (text) => {
  expect(readWebhookSecrets(text)).toBeUndefined();
});
