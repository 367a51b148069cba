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
  const [, sent = ''] = /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? '') ?? [];
  if (timingSafeEqual(sha256(sent), sha256(operatorToken))) return;
  const message = 'This is for the operator. Send "Authorization: Bearer" with the token in keys/operator.token.';
  throw new AutoPayError('forbidden', message);
}
