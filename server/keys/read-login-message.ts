import { parseSiweMessage, validateSiweMessage } from 'viem/siwe';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** What a relay lets people sign in to. */
export interface LoginScope {
  /** RFC 3986 authorities, `host` or `host:port`: what wallets show as the site that asks. */
  domains: readonly string[];
  chainId: number;
}

/** The parts of a login message that are still to be judged. */
export interface LoginMessage {
  /** Who signs in; lower case. */
  address: Hex;
  nonce: string;
}

/** A message longer than this was written by no wallet. */
export const maxLoginMessageLength = 4_096;
/** A wallet's clock may be this much ahead. */
const maxClockSkewMs = 120_000;

/** The whole of EIP-4361's grammar by lines: viem's own patterns let text before, between and after them through. */
const grammar = new RegExp(
  [
    '^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?[^\\s/]+ wants you to sign in with your Ethereum account:\\n0x[0-9a-fA-F]{40}\\n\\n',
    '(?:[^\\n\\r]+\\n)?\\nURI: \\S+\\nVersion: \\S+\\nChain ID: [0-9]{1,16}\\nNonce: [a-zA-Z0-9]{8,128}\\nIssued At: \\S+',
    '(?:\\nExpiration Time: \\S+)?(?:\\nNot Before: \\S+)?(?:\\nRequest ID: \\S*)?(?:\\nResources:(?:\\n- \\S+)*)?$',
  ].join(''),
);

/**
 * Reads a login message (EIP-4361) and checks all of it that needs neither a signature nor a memory: form, domain, URI, version,
 * chain, and the times that it states.
 *
 * @throws AutoPayError `invalid_login`, saying which part is wrong
 */
export function readLoginMessage(message: string, scope: LoginScope & { nowMs: number }): LoginMessage {
  if (message.length > maxLoginMessageLength || !grammar.test(message)) {
    throw refuse(
      'is not written as EIP-4361 says. Build it with a SIWE library from the fields of POST /v1/auth/nonce',
    );
  }
  const parsed = parseSiweMessage(message);
  const { address, chainId, domain = '', issuedAt, nonce, uri = '', version } = parsed;
  if (address === undefined || nonce === undefined) throw refuse('names no account or no nonce');
  if (!scope.domains.includes(domain)) {
    throw refuse(
      `is for ${domain.slice(0, 64)}; this relay is ${scope.domains.join(', ')}. Never sign in for one site at another`,
    );
  }
  if (!URL.canParse(uri) || new URL(uri).host !== domain) throw refuse('has a URI of another host than its domain');
  if (version !== '1') throw refuse('has another version than 1');
  if (chainId !== scope.chainId) throw refuse(`is for another chain than ${scope.chainId}`);
  const issuedAtMs = issuedAt?.getTime() ?? NaN;
  if (!(issuedAtMs <= scope.nowMs + maxClockSkewMs))
    throw refuse('was issued in the future, or at no time that can be read');
  if (!validateSiweMessage({ message: parsed, domain, time: new Date(scope.nowMs) })) {
    throw refuse('has expired, or is not valid yet');
  }
  return { address: address.toLowerCase() as Hex, nonce };
}

function refuse(what: string): AutoPayError {
  return new AutoPayError('invalid_login', `The login message ${what}.`, { param: 'message' });
}
