import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { keccak256 } from '../../protocol/bytes/keccak256.ts';
import { recoverSigner } from '../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { KeyLedger } from '../ledger/key-ledger.ts';
import type { LoginSecrets } from './login-secrets.ts';
import { readLoginMessage, type LoginScope } from './read-login-message.ts';

/** Asks a wallet that is a contract whether a signature is its own (ERC-1271). */
export interface ContractSignatures {
  /**
   * @returns false also where there is no contract
   * @throws AutoPayError `chain_unavailable`, or `overloaded` if too many ask
   */
  isValid(ask: { address: Hex; digest: Uint8Array; signature: Hex }): Promise<boolean>;
}

/** What logins need. */
export interface LogInDeps {
  secrets: LoginSecrets;
  chainId: number;
  ledger: Pick<KeyLedger, 'useNonce'>;
  contractSignatures: ContractSignatures;
  /** How long a session lasts. */
  sessionTtlSeconds: number;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** A session of a payer. */
export interface Session {
  token: string;
  payer: Hex;
  expiresAtMs: number;
}

/** A request to sign in: the message as it was signed. */
export interface LogInRequest extends Pick<LoginScope, 'domains'> {
  message: string;
  signature: Hex;
}

/**
 * Signs a wallet in (EIP-4361): the message is for this relay and chain, its nonce is ours and new, and the account signed it: by
 * ECDSA, or, where that does not fit, as a contract (ERC-1271). The nonce is used up durably before a token is given.
 *
 * @throws AutoPayError `invalid_login`, `nonce_already_used`, `chain_unavailable`, `overloaded`
 */
export async function logIn(deps: LogInDeps, { message, signature, domains }: LogInRequest): Promise<Session> {
  const { ledger, nowMs, secrets } = deps;
  const { address, nonce } = readLoginMessage(message, { domains, chainId: deps.chainId, nowMs: nowMs() });
  const nonceExpiresAtMs = secrets.checkNonce(nonce);
  if (nonceExpiresAtMs === undefined) {
    throw new AutoPayError(
      'invalid_login',
      'The nonce is not ours, or has lapsed. Take a new one: POST /v1/auth/nonce.',
    );
  }
  const digest = digestOfMessage(message);
  if (!isSignedBy(address, digest, signature)) {
    if (!(await deps.contractSignatures.isValid({ address, digest, signature }))) {
      throw new AutoPayError('invalid_login', `The message is not signed by ${address}. Sign it with that account.`);
    }
  }
  if (!(await ledger.useNonce({ nonce, expiresAtMs: nonceExpiresAtMs, nowMs: nowMs() }))) {
    const text = 'This nonce has signed somebody in before. Take a new one: POST /v1/auth/nonce.';
    throw new AutoPayError('nonce_already_used', text);
  }
  const expiresAtMs = nowMs() + deps.sessionTtlSeconds * 1_000;
  return { token: secrets.issueToken(address, expiresAtMs), payer: address, expiresAtMs };
}

/** What wallets sign for a text (EIP-191, version 0x45). */
function digestOfMessage(message: string): Buffer {
  const bytes = Buffer.from(message);
  return keccak256(Buffer.from(`\x19Ethereum Signed Message:\n${bytes.length}`), bytes);
}

function isSignedBy(address: Hex, digest: Uint8Array, signature: Hex): boolean {
  const bytes = fromHex(signature);
  if (bytes.length !== 65) return false;
  // Hardware wallets say 0 and 1 for 27 and 28.
  const v = bytes[64] ?? 0;
  if (v < 2) bytes[64] = v + 27;
  try {
    return recoverSigner(digest, bytes) === address;
  } catch (error) {
    if (error instanceof AutoPayError) return false;
    throw error;
  }
}
