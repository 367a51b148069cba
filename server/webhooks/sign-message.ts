import { createHmac } from 'node:crypto';

/** What is sent, and signed. */
export interface WebhookMessage {
  /** The same for every try. */
  id: string;
  /** Unix seconds of this try. */
  timestamp: number;
  /** The exact body. */
  body: string;
}

const secretPattern = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/**
 * Reads the secrets of a webhook: `whsec_` and the base64 of 24 to 64 bytes, several separated by spaces while they are exchanged.
 * @returns undefined if it is anything else
 */
export function readWebhookSecrets(text: string): Uint8Array[] | undefined {
  const secrets = text
    .trim()
    .split(/ +/)
    .map((word) => Buffer.from(secretPattern.exec(word)?.[1] ?? '', 'base64'));
  return secrets.every(({ length }) => length >= 24 && length <= 64) ? secrets : undefined;
}

/**
 * The headers of a message: `webhook-id`, `webhook-timestamp`, and `webhook-signature` with one `v1,<base64>` for each secret, HMAC-SHA256
 * over `id.timestamp.body` (Standard Webhooks, "Signature scheme").
 */
export function signMessage({ id, timestamp, body }: WebhookMessage, secrets: readonly Uint8Array[]) {
  const signatures = secrets.map((secret) => {
    const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
    return `v1,${mac}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signatures.join(' ') };
}
