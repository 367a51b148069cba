import type { ErrorCode } from '../errors/error-codes.ts';

const core = 'https://paymentauth.org/problems/';
const session = `${core}session/`;

/** What every intent calls alike (draft-httpauth-payment, "Error Codes"). */
const coreTypes: Partial<Record<ErrorCode, string>> = {
  payment_required: `${core}payment-required`,
  malformed_credential: `${core}malformed-credential`,
  unsupported_payment_action: `${core}method-unsupported`,
  challenge_invalid: `${core}invalid-challenge`,
  challenge_expired: `${core}invalid-challenge`,
  insufficient_headroom: `${core}payment-insufficient`,
  invalid_signature: `${core}verification-failed`,
  signer_mismatch: `${core}verification-failed`,
  payment_invalid: `${core}verification-failed`,
  payment_expired: `${core}payment-expired`,
  payment_already_used: `${core}verification-failed`,
  insufficient_funds: `${core}payment-insufficient`,
  settlement_failed: `${core}verification-failed`,
};

/** What the intent `session` calls otherwise (EVM session draft, "Error Responses"). */
const sessionTypes: Partial<Record<ErrorCode, string>> = {
  challenge_invalid: `${session}challenge-not-found`,
  challenge_expired: `${session}challenge-not-found`,
  invalid_signature: `${session}invalid-signature`,
  signer_mismatch: `${session}signer-mismatch`,
  insufficient_headroom: `${session}insufficient-balance`,
  voucher_missing: `${session}insufficient-balance`,
  insufficient_funds: `${session}insufficient-balance`,
  deposit_too_small: `${session}insufficient-balance`,
  amount_exceeds_deposit: `${session}amount-exceeds-deposit`,
  voucher_already_used: `${session}delta-too-small`,
  channel_closing: `${session}channel-finalized`,
  channel_not_found: `${session}channel-not-found`,
  channel_finalized: `${session}channel-finalized`,
  channel_wrong_payee: `${core}verification-failed`,
  channel_wrong_token: `${core}verification-failed`,
  transaction_reverted: `${session}transaction-reverted`,
};

/**
 * The RFC 9457 problem type of an error code; `about:blank` where MPP names none.
 * @param intent of the challenge that the request answers; undefined if none was read
 */
export function problemTypeOf(code: ErrorCode, intent: string | undefined): string {
  return (intent === 'charge' ? undefined : sessionTypes[code]) ?? coreTypes[code] ?? 'about:blank';
}
