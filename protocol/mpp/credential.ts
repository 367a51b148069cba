import { AutoPayError } from '../errors/auto-pay-error.ts';
import { decodeBase64UrlJson, encodeBase64UrlJson } from './base64url-json.ts';
import { credentialSchema, type Credential } from './session-schemas.ts';

/** The most bytes of an `Authorization: Payment` value that are looked at. */
const maxCredentialBytes = 16_384;

/** The value of the `Authorization` header for a credential. Amounts in `payload` must be decimal strings. */
export function formatCredential(credential: Credential): string {
  return `Payment ${encodeBase64UrlJson(credential)}`;
}

/**
 * The header that carries a `Payment` credential, well-formed or not: `Authorization`, or `Payment-Authorization` where that
 * is taken, by a bearer token for example.
 * @param headers names in lower case
 * @returns its value; undefined if there is none
 */
export function paymentAuthorization(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  const { authorization, 'payment-authorization': beside } = headers;
  if (authorization !== undefined && isPayment.test(authorization)) return authorization;
  return beside !== undefined && isPayment.test(beside) ? beside : undefined;
}

const isPayment = /^payment(?:\s|$)/i;

/** The intent of the challenge that a request answers, `session` or `charge`; undefined if none can be read. */
export function intentOf(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  const authorization = paymentAuthorization(headers);
  try {
    return authorization === undefined ? undefined : parseCredential(authorization)?.challenge.intent;
  } catch {
    return undefined;
  }
}

/**
 * Reads an `Authorization` value of the scheme `Payment`.
 * @returns undefined if the value is of another scheme.
 * @throws AutoPayError `malformed_credential`.
 */
export function parseCredential(authorization: string): Credential | undefined {
  const match = /^payment +(\S+)\s*$/i.exec(authorization);
  if (!match) {
    if (!isPayment.test(authorization)) return undefined;
    throw new AutoPayError('malformed_credential', 'Send "Authorization: Payment <base64url JSON>".');
  }
  const encoded = match[1] ?? '';
  if (encoded.length > maxCredentialBytes) {
    throw new AutoPayError('malformed_credential', `The credential is longer than ${maxCredentialBytes} bytes.`);
  }
  const parsed = credentialSchema.safeParse(decodeBase64UrlJson(encoded));
  if (!parsed.success) {
    throw new AutoPayError('malformed_credential', 'The credential needs the objects "challenge" and "payload".');
  }
  return parsed.data;
}
