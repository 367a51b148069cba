import { isHex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { sessionPayloadSchema, type SessionPayload } from '../../../protocol/mpp/session-schemas.ts';

/** Actions of the draft ("Payload Actions") that this relay does not take. */
const otherActions = ['topUp', 'close'];

/**
 * Reads the payload of an `evm/session` credential.
 *
 * @throws AutoPayError `unsupported_payment_action`, `invalid_signature` (not an ECDSA signature by its length),
 * `malformed_credential`
 */
export function readSessionPayload(payload: Readonly<Record<string, unknown>>): SessionPayload {
  const parsed = sessionPayloadSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const { action, type, signature } = payload;
  if (otherActions.includes(String(action)) || (action === 'open' && typeof type === 'string' && type !== 'hash')) {
    throw new AutoPayError(
      'unsupported_payment_action',
      'This relay takes the actions "voucher" and "open" with type "hash". Top up and close on the chain itself.',
    );
  }
  if (isHex(signature) && !isHex(signature, 65)) throw contractSignatureError();
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'payload').slice(0, 8);
  throw new AutoPayError(
    'malformed_credential',
    `The credential's payload is malformed (${fields.join(', ')}). A voucher has action, channelId, cumulativeAmount and signature.`,
  );
}

function contractSignatureError(): AutoPayError {
  return new AutoPayError(
    'invalid_signature',
    'A voucher must be signed by ECDSA: 65 bytes r ‖ s ‖ v. Signatures of contracts (ERC-1271) are not taken, because ' +
      'they can be revoked; open the channel with an authorizedSigner that is a key.',
  );
}
