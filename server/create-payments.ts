import type { RelayConfig } from './config/relay-config.ts';
import { createKeys, type KeysOptions } from './create-keys.ts';
import { createSession, type SessionOptions } from './create-session.ts';
import type { KeyRouterDeps } from './http/keys/create-key-router.ts';
import { chooseMethods } from './payments/choose-methods.ts';
import { createChargeChallenges, type ChargeTerms } from './payments/evm-charge/charge-terms.ts';
import { createEvmCharge } from './payments/evm-charge/evm-charge.ts';
import { createFreeMethod } from './payments/free/free-method.ts';
import type { PaymentMethod } from './payments/payment-method.ts';
import type { X402Setup } from './payments/x402/prepare-x402.ts';
import { createX402 } from './payments/x402/x402-method.ts';
import type { X402Terms } from './payments/x402/x402-terms.ts';

/** The ways to pay at this relay. */
export interface Payments {
  /** In the order in which they are asked. */
  methods: readonly PaymentMethod[];
  /** What the routes of API keys work with; undefined where keys are none of the methods. */
  keys: KeyRouterDeps | undefined;
  close(): Promise<void>;
}

/** What the payment methods are made of. */
export interface PaymentsOptions
  extends
    Omit<KeysOptions, 'session' | 'config' | 'ledger' | 'prices'>,
    Omit<SessionOptions, 'config' | 'domains' | 'ledger' | 'prices'> {
  config: KeysOptions['config'] & SessionOptions['config'];
  prices: KeysOptions['prices'] & SessionOptions['prices'];
  ledger: KeysOptions['ledger'] & SessionOptions['ledger'];
  x402: Pick<X402Setup, 'terms' | 'verifier'>;
}

/** Wires the payment methods of a configuration. */
export function createPayments(options: PaymentsOptions): Payments {
  const { config, ledger, nowMs, settlement, x402 } = options;
  const session = createSession({ ...options, domains: x402.terms.tokens.map(({ domain }) => domain) });
  const keys = createKeys({ ...options, session });
  const direct = { ledger, settlement, nowMs, verifier: x402.verifier };
  const terms = chargeTermsOf(x402.terms, config);
  const challenges = createChargeChallenges({ terms, realm: config.realm, secret: options.challengeKey, nowMs });
  const available = [
    session.method,
    createX402({ ...direct, ...x402 }),
    createEvmCharge({ ...direct, terms, challenges }),
    keys.method,
  ];
  const methods = [...chooseMethods(config.payment.methods, available), createFreeMethod()];
  const hasKeys = methods.includes(keys.method);
  return { methods, keys: hasKeys ? keys.routes : undefined, close: () => session.recoverer.close() };
}

/** Charges are settled as x402 is, by EIP-3009 only. */
function chargeTermsOf(x402: X402Terms, { tokens }: Pick<RelayConfig, 'tokens'>): ChargeTerms {
  const decimals = new Map(tokens.map((token) => [token.address, token.decimals]));
  const taken = x402.tokens.filter(({ domain }) => domain !== null);
  return { ...x402, tokens: taken.map((token) => ({ ...token, decimals: decimals.get(token.address) ?? 0 })) };
}
