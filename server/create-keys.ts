import { zeroAddress } from '../protocol/bytes/hex.ts';
import type { ChannelReader } from './chain/create-channel-reader.ts';
import type { ChainClient } from './chain/create-chain-client.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { KeyRouterDeps } from './http/keys/create-key-router.ts';
import { createJsonReader } from './http/keys/read-json.ts';
import { createKeyCache } from './keys/key-cache.ts';
import { createKeyCurrency } from './keys/key-currency.ts';
import { createLoginSecrets } from './keys/login-secrets.ts';
import { createRateLimits } from './keys/rate-limits.ts';
import type { BackgroundLedger } from './ledger/background-ledger.ts';
import type { KeyLedger } from './ledger/key-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Log } from './log.ts';
import type { PriceList } from './metering/price-list.ts';
import { createChannelFinder } from './payments/evm-session/find-channel.ts';
import type { VoucherRecoverer } from './payments/evm-session/recover-vouchers.ts';
import type { ChannelCloser } from './payments/evm-session/close-channel.ts';
import { requireOurChannel } from './payments/evm-session/require-channel.ts';
import type { SessionTerms } from './payments/evm-session/session-terms.ts';
import { createAllowanceReader } from './payments/key/allowance-reader.ts';
import { createContractSignatures } from './payments/key/contract-signatures.ts';
import { createKeyMethod } from './payments/key/key-method.ts';
import type { PaymentMethod } from './payments/payment-method.ts';
import type { SettlementQueue } from './settlement/settlement-queue.ts';

/** API keys at this relay. */
export interface Keys {
  /** Payment by API key. */
  method: PaymentMethod;
  /** For the routes of logins, keys, projects and money. */
  routes: KeyRouterDeps;
}

/** What API keys are made of. */
export interface KeysOptions {
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'keys' | 'tokens'>;
  prices: Pick<PriceList, 'conversionOf'>;
  /** Makes nonces and session tokens. */
  challengeKey: Uint8Array;
  masterKey: string;
  ledger: Ledger & BackgroundLedger & KeyLedger;
  client: Pick<ChainClient, 'call' | 'readContract'>;
  reader: ChannelReader;
  /** What channels of this relay agree with, who checks their vouchers, and who closes them. */
  session: {
    terms: SessionTerms;
    recoverer: Pick<VoucherRecoverer, 'recover'>;
    closer: Pick<ChannelCloser, 'close'>;
  };
  /** Takes what calls by allowance cost. */
  settlement: Pick<SettlementQueue, 'settle'>;
  log: Log;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Wires API keys of a configuration. */
export function createKeys(options: KeysOptions): Keys {
  const { client, config, ledger, log, nowMs, reader, session } = options;
  const { agpt, autoPayLLM } = config.contracts;
  const { tokens } = config;
  const cache = createKeyCache({ ledger, nowMs });
  const allowances = createAllowanceReader({ client, agpt, autoPayLLM, nowMs });
  const allowanceToken = tokens.find(({ address }) => address === agpt);
  return {
    method: createKeyMethod({
      ...{ cache, ledger, allowances, settlements: options.settlement, autoPayLLM, nowMs },
      rates: createRateLimits(nowMs),
    }),
    routes: {
      ...{ cache, ledger, tokens, allowanceToken, nowMs, log },
      allowances: allowanceToken && allowances,
      secrets: createLoginSecrets({ secret: options.challengeKey, chainId: config.chain.id, nowMs }),
      masterKey: options.masterKey,
      chainId: config.chain.id,
      contractSignatures: createContractSignatures({ client, nowMs }),
      ...{ domains: config.keys.domains, sessionTtlSeconds: config.keys.sessionTtlSeconds },
      suggestedHeadroom: config.keys.suggestedHeadroom,
      currency: createKeyCurrency((token) => options.prices.conversionOf({ ...token, suggestedDeposit: 0n }, nowMs())),
      json: createJsonReader(),
      ...{ recoverer: session.recoverer, closer: session.closer },
      finder: createChannelFinder({ reader, ledger, nowMs }),
      requireOurChannel(channel) {
        const isOurs = session.terms.tokens.some(({ address }) => address === channel.token);
        requireOurChannel(channel, { terms: session.terms, token: isOurs ? channel.token : zeroAddress });
      },
    },
  };
}
