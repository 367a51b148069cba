import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

const sha256 = (value: string) => createHash('sha256').update(value).digest();

/**
 * Lets the operator through: `Authorization: Bearer <operator token>`, compared in constant time.
 *
 * @throws AutoPayError `forbidden`
 */
export function requireOperator(request: IncomingMessage, operatorToken: string): void {
  requireSecret(request, operatorToken, 'the token in keys/operator.token');
}

/**
 * The same for another of the operator's secrets.
 * @param where what it is and where it stands, for the message
 * @throws AutoPayError `forbidden`
 */
export function requireSecret(request: Pick<IncomingMessage, 'headers'>, secret: string, where: string): void {
  if (hasSecret(request, secret)) return;
  throw new AutoPayError('forbidden', `This is for the operator. Send "Authorization: Bearer" with ${where}.`);
}

/** Whether a request carries a secret as its bearer token; compared in constant time. */
export function hasSecret(request: Pick<IncomingMessage, 'headers'>, secret: string): boolean {
  const [, sent = ''] = /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? '') ?? [];
  return timingSafeEqual(sha256(sent), sha256(secret));
}
