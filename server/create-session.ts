import type { ChannelReader } from './chain/create-channel-reader.ts';
import type { TransactionQueue } from './chain/send-queued-transactions.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { BackgroundLedger } from './ledger/background-ledger.ts';
import type { ChannelLedger } from './ledger/channel-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { PriceList } from './metering/price-list.ts';
import {
  createChannelCloser,
  type ChannelCloser,
  type ChannelCloserOptions,
} from './payments/evm-session/close-channel.ts';
import { createEvmSession } from './payments/evm-session/evm-session.ts';
import { createChallengeIssuer } from './payments/evm-session/issue-challenge.ts';
import { startVoucherRecoverer, type VoucherRecoverer } from './payments/evm-session/recover-vouchers.ts';
import { createDepositRelay } from './payments/evm-session/relay-deposit.ts';
import type { SessionTerms } from './payments/evm-session/session-terms.ts';
import { createSponsorLimits } from './payments/evm-session/sponsor-limits.ts';
import type { PaymentMethod } from './payments/payment-method.ts';
import type { TokenDomain } from './payments/token-domains.ts';

/** Payment by channels at this relay. */
export interface Session {
  method: PaymentMethod;
  /** What channels of this relay agree with, and who checks their vouchers. */
  terms: SessionTerms;
  recoverer: VoucherRecoverer;
  /** Closes channels because their payers ask. */
  closer: ChannelCloser;
}

/** What payment by channels is made of. */
export interface SessionOptions {
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'payment' | 'realm'>;
  prices: Pick<PriceList, 'tokens' | 'depositIn'>;
  /** Makes challenges. */
  challengeKey: Uint8Array;
  ledger: Ledger & ChannelLedger & Pick<BackgroundLedger, 'getTransaction'>;
  reader: ChannelReader;
  /** In the order of the tokens; null without EIP-3009. */
  domains: readonly (TokenDomain | null)[];
  transactions: Pick<TransactionQueue, 'send'>;
  /** What closing a channel sets to work. */
  collections: Pick<ChannelCloserOptions, 'collect' | 'settle'>;
  onFatal: (error: unknown) => void;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Wires payment by channels of a configuration. */
export function createSession(options: SessionOptions): Session {
  const { config, domains, prices, ledger, reader, nowMs } = options;
  const { chain, contracts, payment, realm } = config;
  const { challengeTtlSeconds: ttlSeconds, sponsorship } = payment;
  const terms: SessionTerms = {
    chainId: chain.id,
    escrow: contracts.paymentChannels,
    recipient: contracts.autoPayLLM,
    tokens: prices.tokens.map((token, index) => ({
      address: token.address,
      symbol: token.symbol,
      decimals: token.decimals,
      suggestedDeposit: () => prices.depositIn(token, nowMs()),
      domain: sponsorship.enabled ? (domains[index] ?? null) : null,
    })),
  };
  const scope = { chainId: chain.id, verifyingContract: contracts.paymentChannels };
  const recoverer = startVoucherRecoverer({ scope, onFatal: options.onFatal });
  const limits = createSponsorLimits({ ...sponsorship, nowMs });
  const closer = createChannelCloser({ ...options.collections, ledger, reader, limits, nowMs });
  const method = createEvmSession({
    ...{ terms, recoverer, reader, ledger, closer, nowMs },
    issuer: createChallengeIssuer({ terms, realm, secret: options.challengeKey, ttlSeconds, nowMs }),
    deposits: createDepositRelay({
      ...{ terms, reader, ledger, limits, nowMs, queue: options.transactions },
      minDepositPercent: sponsorship.minDepositPercent,
    }),
  });
  return { method, terms, recoverer, closer };
}
