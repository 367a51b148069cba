/**
 * Every error code that the relay, the client and the tools can show, with the HTTP status that carries it.
 * Codes are stable: one may be added, none is renamed or given another meaning.
 */
export const errorCodes = {
  // The request itself (400–413)
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_request: { status: 400, type: 'invalid_request_error' },
  duplicate_key: { status: 400, type: 'invalid_request_error' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  not_acceptable: { status: 406, type: 'invalid_request_error' },
  evidence_pruned: { status: 410, type: 'invalid_request_error' },
  precondition_failed: { status: 412, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  range_not_satisfiable: { status: 416, type: 'invalid_request_error' },
  forbidden: { status: 403, type: 'permission_error' },

  // API keys and logins
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  api_key_expired: { status: 403, type: 'permission_error' },
  model_not_allowed: { status: 403, type: 'permission_error' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error' },
  login_required: { status: 401, type: 'authentication_error' },
  invalid_login: { status: 401, type: 'authentication_error' },
  nonce_already_used: { status: 401, type: 'authentication_error' },
  headers_too_large: { status: 431, type: 'invalid_request_error' },
  idempotency_mismatch: { status: 422, type: 'invalid_request_error' },
  idempotent_repeat: { status: 409, type: 'invalid_request_error' },
  answer_not_kept: { status: 409, type: 'invalid_request_error' },

  // Payment (402, or as the MPP session draft says, "Error Responses")
  payment_required: { status: 402, type: 'payment_required' },
  malformed_credential: { status: 402, type: 'payment_required' },
  unsupported_payment_action: { status: 400, type: 'invalid_request_error' },
  challenge_invalid: { status: 402, type: 'payment_required' },
  challenge_expired: { status: 402, type: 'payment_required' },
  invalid_signature: { status: 402, type: 'payment_required' },
  signer_mismatch: { status: 402, type: 'payment_required' },
  insufficient_headroom: { status: 402, type: 'payment_required' },
  spending_limit_reached: { status: 402, type: 'payment_required' },
  wallet_limit_exceeded: { status: 402, type: 'payment_required' },
  amount_exceeds_deposit: { status: 402, type: 'payment_required' },
  voucher_already_used: { status: 409, type: 'invalid_request_error' },
  channel_closing: { status: 402, type: 'payment_required' },
  channel_in_use: { status: 409, type: 'invalid_request_error' },
  channel_not_confirmed: { status: 409, type: 'invalid_request_error' },
  channel_not_found: { status: 410, type: 'invalid_request_error' },
  channel_finalized: { status: 410, type: 'invalid_request_error' },
  channel_out_of_books: { status: 410, type: 'invalid_request_error' },
  channel_wrong_payee: { status: 402, type: 'payment_required' },
  channel_wrong_token: { status: 402, type: 'payment_required' },
  transaction_reverted: { status: 409, type: 'invalid_request_error' },
  payment_invalid: { status: 402, type: 'payment_required' },
  payment_expired: { status: 402, type: 'payment_required' },
  insufficient_funds: { status: 402, type: 'payment_required' },
  deposit_too_small: { status: 402, type: 'payment_required' },
  transaction_pending: { status: 503, type: 'server_error' },
  permit2_allowance_required: { status: 402, type: 'payment_required' },
  payment_already_used: { status: 409, type: 'invalid_request_error' },
  unsettled_limit_reached: { status: 429, type: 'rate_limit_error' },
  payer_owes: { status: 403, type: 'permission_error' },
  insufficient_allowance: { status: 402, type: 'payment_required' },
  scope_exceeded: { status: 429, type: 'budget_exceeded' },
  facilitator_unavailable: { status: 503, type: 'server_error' },
  settlement_pending: { status: 503, type: 'server_error' },
  settlement_failed: { status: 402, type: 'payment_required' },

  // What the wallet refuses, or was refused, where it pays by a payment of one call
  no_usable_method: { status: 402, type: 'payment_required' },
  network_not_allowed: { status: 402, type: 'payment_required' },
  asset_not_allowed: { status: 402, type: 'payment_required' },
  offer_changed: { status: 402, type: 'payment_required' },
  payment_refused: { status: 402, type: 'payment_required' },
  redirect_refused: { status: 502, type: 'upstream_error' },

  // What votes allow a model to spend
  model_budget_exceeded: { status: 429, type: 'budget_exceeded' },
  token_without_rate: { status: 403, type: 'budget_exceeded' },
  budgets_unknown: { status: 503, type: 'server_error' },

  // What governance allows the relay
  relay_not_authorized: { status: 503, type: 'server_error' },

  // What the chain says of prices
  price_table_unpublished: { status: 503, type: 'server_error' },
  price_above_ceiling: { status: 503, type: 'budget_exceeded' },
  price_unavailable: { status: 503, type: 'server_error' },

  // The upstream and the relay itself
  upstream_error: { status: 502, type: 'upstream_error' },
  upstream_unreachable: { status: 502, type: 'upstream_error' },
  upstream_timeout: { status: 504, type: 'upstream_error' },
  upstream_truncated: { status: 502, type: 'upstream_error' },
  no_deployment_available: { status: 503, type: 'upstream_error' },
  evidence_too_low: { status: 502, type: 'upstream_error' },
  // The answer had begun and was charged, but it is not whole
  call_timeout: { status: 504, type: 'server_error' },
  answer_too_long: { status: 502, type: 'server_error' },
  client_too_slow: { status: 408, type: 'invalid_request_error' },
  voucher_missing: { status: 402, type: 'payment_required' },
  overloaded: { status: 503, type: 'server_error' },
  chain_unavailable: { status: 503, type: 'server_error' },
  ipfs_unavailable: { status: 503, type: 'server_error' },
  internal_error: { status: 500, type: 'server_error' },

  // Configuration, command line and verification (never sent over HTTP; the status is for completeness)
  invalid_configuration: { status: 500, type: 'configuration_error' },
  port_taken: { status: 500, type: 'configuration_error' },
  data_dir_locked: { status: 500, type: 'configuration_error' },
  stack_not_found: { status: 500, type: 'configuration_error' },
  key_file_unsafe: { status: 500, type: 'configuration_error' },
  insufficient_balance: { status: 500, type: 'configuration_error' },
  invalid_argument: { status: 400, type: 'invalid_request_error' },
  invalid_encoding: { status: 400, type: 'invalid_request_error' },
  verification_failed: { status: 500, type: 'verification_error' },
  log_rolled_back: { status: 500, type: 'verification_error' },
  log_forked: { status: 500, type: 'verification_error' },
  transaction_failed: { status: 500, type: 'chain_error' },
} as const satisfies Record<string, { status: number; type: string }>;

/** A stable, snake_case error code. */
export type ErrorCode = keyof typeof errorCodes;
