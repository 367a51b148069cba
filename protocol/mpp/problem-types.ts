import type { ErrorCode } from '../errors/error-codes.ts';

const core = 'https://paymentauth.org/problems/';
const session = `${core}session/`;

/** The RFC 9457 problem type of an error code, where MPP names one (core "Error Codes"; session "Error Responses"). */
export const problemTypes: Partial<Record<ErrorCode, string>> = {
  payment_required: `${core}payment-required`,
  malformed_credential: `${core}malformed-credential`,
  unsupported_payment_action: `${core}method-unsupported`,
  challenge_invalid: `${session}challenge-not-found`,
  challenge_expired: `${session}challenge-not-found`,
  invalid_signature: `${session}invalid-signature`,
  signer_mismatch: `${session}signer-mismatch`,
  insufficient_headroom: `${session}insufficient-balance`,
  amount_exceeds_deposit: `${session}amount-exceeds-deposit`,
  voucher_already_used: `${session}delta-too-small`,
  channel_closing: `${session}channel-finalized`,
  channel_not_found: `${session}channel-not-found`,
  channel_finalized: `${session}channel-finalized`,
  channel_wrong_payee: `${core}verification-failed`,
  channel_wrong_token: `${core}verification-failed`,
  transaction_reverted: `${session}transaction-reverted`,
};
