import { createHmac, timingSafeEqual } from 'node:crypto';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { challengeEchoSchema, type ChallengeEcho } from './session-schemas.ts';

/** The parameters that a challenge id binds (draft-httpauth-payment, "Challenge Binding"). */
export type ChallengeParameters = Omit<ChallengeEcho, 'id' | 'description'>;

/**
 * The stateless id of a challenge: base64url(HMAC-SHA256(secret, realm|method|intent|request|expires|digest|opaque)),
 * absent fields as empty strings.
 */
export function challengeId(parameters: ChallengeParameters, secret: Uint8Array): string {
  const { realm, method, intent, request, expires = '', digest = '', opaque = '' } = parameters;
  return createHmac('sha256', secret)
    .update([realm, method, intent, request, expires, digest, opaque].join('|'))
    .digest('base64url');
}

/** Whether `echo` is a challenge that the holder of `secret` made, unchanged. Constant time. */
export function isOwnChallenge(echo: ChallengeEcho, secret: Uint8Array): boolean {
  const expected = Buffer.from(challengeId(echo, secret));
  const actual = Buffer.from(echo.id);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** The value of a `WWW-Authenticate` header. Values are quoted strings (RFC 9110 §11.2). */
export function formatChallenge(challenge: ChallengeEcho): string {
  const parameters = Object.entries(challenge)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);
  return `Payment ${parameters.join(', ')}`;
}

const parameterPattern = /([a-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,\s*|$)/iy;

/**
 * Every `Payment` challenge in a `WWW-Authenticate` value, which may join several schemes and challenges with commas
 * (RFC 9110 §11.6.1). Other schemes are passed over.
 * @throws AutoPayError `malformed_credential` if a Payment challenge lacks a required parameter.
 */
export function parseChallenges(headerValue: string): ChallengeEcho[] {
  const schemePattern = /(?:^|,)\s*([A-Za-z][A-Za-z0-9_-]*)\s+(?=[A-Za-z0-9_-]+\s*=)/g;
  const challenges: ChallengeEcho[] = [];
  for (const scheme of headerValue.matchAll(schemePattern)) {
    if (scheme[1]?.toLowerCase() !== 'payment') continue;
    challenges.push(parseParameters(headerValue, scheme.index + scheme[0].length));
  }
  return challenges;
}

function parseParameters(headerValue: string, start: number): ChallengeEcho {
  const parameters: Record<string, string> = {};
  parameterPattern.lastIndex = start;
  for (let match = parameterPattern.exec(headerValue); match; match = parameterPattern.exec(headerValue)) {
    const [, name = '', quoted, plain] = match;
    parameters[name.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
    if (parameterPattern.lastIndex >= headerValue.length) break;
  }
  const parsed = challengeEchoSchema.safeParse(parameters);
  if (!parsed.success) {
    throw new AutoPayError('malformed_credential', 'The Payment challenge lacks id, realm, method, intent or request.');
  }
  return parsed.data;
}
