import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { decodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { chargePayloadSchema, chargeRequestSchema, type Credential } from '../../../protocol/mpp/session-schemas.ts';
import { challengeNonce } from '../../../protocol/typed-data/authorization.ts';
import type { TokenPayment } from '../../settlement/payment-payload.ts';
import type { ChargeTerms } from './charge-terms.ts';

/**
 * Reads the authorization of a credential and holds it against its challenge, which MUST have been recognised as ours.
 *
 * @throws AutoPayError `malformed_credential`, `unsupported_payment_action` (another type), `payment_invalid`
 */
export function readChargePayload(terms: ChargeTerms, { challenge, payload }: Credential, token: Hex): TokenPayment {
  const { type } = payload;
  if (typeof type === 'string' && type !== 'authorization') {
    const message = `This relay takes charges of the type "authorization" (EIP-3009), not "${type.slice(0, 32)}".`;
    throw new AutoPayError('unsupported_payment_action', message);
  }
  const parsed = chargePayloadSchema.safeParse(payload);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'payload').slice(0, 8);
    const message = `The credential's payload is malformed (${fields.join(', ')}). A charge has type, from, to, value, validAfter, validBefore, nonce and signature.`;
    throw new AutoPayError('malformed_credential', message);
  }
  const { from, to, value, nonce, signature, validAfter, validBefore } = parsed.data;
  const { amount } = chargeRequestSchema.parse(decodeBase64UrlJson(challenge.request));
  if (to !== terms.desk) throw invalid(`it pays ${to}; recipient is ${terms.desk}`);
  if (value !== amount) throw invalid(`its value is ${value}, not ${amount}`);
  if (nonce !== challengeNonce(challenge)) throw invalid('its nonce is not keccak256(challenge.id ‖ challenge.realm)');
  if (validAfter !== 0n) throw invalid('its validAfter has to be 0');
  return {
    ...{ kind: 'eip3009', payer: from, token, recipient: to, maximum: value, nonce, signature },
    ...{ validAfter, validBefore, spender: null, facilitator: null },
  };
}

function invalid(why: string): AutoPayError {
  const message = `The payment does not answer its challenge: ${why}. Sign what the challenge asks for.`;
  return new AutoPayError('payment_invalid', message);
}
