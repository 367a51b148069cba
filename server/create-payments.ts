import type { ChannelReader } from './chain/create-channel-reader.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { PriceList } from './metering/price-list.ts';
import { createEvmSession } from './payments/evm-session/evm-session.ts';
import { createChallengeIssuer } from './payments/evm-session/issue-challenge.ts';
import { startVoucherRecoverer } from './payments/evm-session/recover-vouchers.ts';
import type { SessionTerms } from './payments/evm-session/session-terms.ts';
import { createFreeMethod } from './payments/free/free-method.ts';
import type { PaymentMethod } from './payments/payment-method.ts';

/** The ways to pay at this relay. */
export interface Payments {
  /** In the order in which they are asked. */
  methods: readonly PaymentMethod[];
  close(): Promise<void>;
}

/** Wires the payment methods of a configuration. */
export function createPayments(options: {
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'payment' | 'realm'>;
  prices: Pick<PriceList, 'tokens' | 'depositIn'>;
  challengeKey: Uint8Array;
  ledger: Pick<Ledger, 'getChannel' | 'recallChannel' | 'upsertChannel'>;
  reader: ChannelReader;
  nowMs: () => number;
  onFatal: (error: unknown) => void;
}): Payments {
  const { config, prices, ledger, reader, nowMs } = options;
  const { chain, contracts, payment, realm } = config;
  const terms: SessionTerms = {
    chainId: chain.id,
    escrow: contracts.paymentChannels,
    recipient: contracts.autoPayLLM,
    tokens: prices.tokens.map((token) => ({
      address: token.address,
      symbol: token.symbol,
      decimals: token.decimals,
      suggestedDeposit: () => prices.depositIn(token, nowMs()),
    })),
  };
  const { challengeTtlSeconds: ttlSeconds } = payment;
  const issuer = createChallengeIssuer({ terms, realm, secret: options.challengeKey, ttlSeconds, nowMs });
  const scope = { chainId: chain.id, verifyingContract: contracts.paymentChannels };
  const recoverer = startVoucherRecoverer({ scope, onFatal: options.onFatal });
  const session = createEvmSession({ terms, issuer, recoverer, reader, ledger, nowMs });
  return { methods: [session, createFreeMethod()], close: () => recoverer.close() };
}
