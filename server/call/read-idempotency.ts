import { toHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { sha256 } from '../../protocol/merkle/hashes.ts';
import type { Funds, Idempotency } from '../ledger/ledger.ts';
import type { CallRequest } from './types.ts';

const keyPattern = /^[\x20-\x7e]{1,255}$/;

/**
 * What makes a paid call the only one of its key: its `Idempotency-Key`, or else, of a payment that was signed for one call, the
 * payment's own id.
 * @returns null where a repeated request is another call
 * @throws AutoPayError `invalid_request` for a key that is not 1 to 255 printable ASCII characters
 */
export function readIdempotency(request: CallRequest): Idempotency | null {
  const { idempotencyKey, payment } = request;
  const { funds, idempotencyScope: scope } = payment;
  if (idempotencyKey !== null && !keyPattern.test(idempotencyKey)) {
    const message = 'Idempotency-Key has to be 1 to 255 printable ASCII characters.';
    throw new AutoPayError('invalid_request', message, { param: 'Idempotency-Key' });
  }
  const key = idempotencyKey ?? ownKey(funds);
  return key === null || scope === null ? null : { scope, key, bodyDigest: digestRequest(request) };
}

/** A payment that the client signed comes again as it was; an allowance is used anew by each call. */
function ownKey(funds: Funds | null): string | null {
  return funds?.kind === 'direct' && funds.payment.kind !== 'allowance' ? funds.payment.paymentId : null;
}

function digestRequest({ path, body }: CallRequest): Idempotency['bodyDigest'] {
  return toHex(sha256(Buffer.from(`${path}\n`), body));
}
