import { privateKeyToAccount } from 'viem/accounts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Clock, Deployment } from './call/types.ts';
import type { Transport } from './call/transport.ts';
import { createFeeAverage } from './chain/average-fee.ts';
import { createChainClient, type ChainClient } from './chain/create-chain-client.ts';
import { createJob, type Job } from './chain/create-job.ts';
import { isRelayOf, readAuthorization } from './chain/read-seller.ts';
import { createTransactionQueue, type TransactionQueue } from './chain/send-queued-transactions.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { SellerChannelConfig, SellerConfig } from './config/resolve-purchasing.ts';
import type { PurchaseLedger } from './ledger/purchase-ledger.ts';
import type { Log } from './log.ts';
import type { RelayChain } from './open-chain.ts';
import { askPayee, askSpent, type SellerQuestions } from './payer/ask-seller.ts';
import { createChannelKeeper, type ChannelCondition, type ChannelKeeper } from './payer/keep-channel.ts';
import { createAuthorizationPayer } from './payer/pay-by-authorization.ts';
import { createChannelPayer } from './payer/pay-by-channel.ts';
import { createPayingTransport } from './payer/paying-transport.ts';
import { createPurchaseCloser } from './payer/purchase-closer.ts';
import { readWallet } from './payer/read-wallet.ts';
import { remember } from './payer/remember.ts';
import type { PayerWallet } from './payer/seller-terms.ts';
import { settlePurchases } from './payer/settle-purchases.ts';
import type { UpstreamPayer } from './payer/upstream-payer.ts';
import { readTokenDomains } from './payments/token-domains.ts';
import { v1NetworkOf } from './payments/x402/v1-network.ts';

/** How buying goes, for `GET /healthz`: counts only, because everybody may read them. */
export interface PurchasingState {
  /** Purchases whose cost is not known, as last looked at. */
  unknown: number;
  /** Channels with providers, by their condition. */
  channels: Partial<Record<ChannelCondition['condition'], number>>;
}

/** The buying side of a relay. */
export interface Purchasing {
  /** A transport that pays the providers that sell calls, over one that does not pay. */
  wrap(transport: Transport): Transport;
  /** Takes in a chain that could not be reached at the start. */
  addChain(chain: BuyingChain): void;
  /** Begins to keep channels funded, and to find out what purchases did cost. */
  start(): void;
  state(): PurchasingState;
  /** How each channel is, as last looked at. */
  channels(): ChannelCondition[];
  /** Lifts what stopped the channel of a provider. False if it has none. */
  resume(provider: string): Promise<boolean>;
  /** Ends the jobs, and resolves when everything is written. */
  stop(): Promise<void>;
}

/** A chain on which the relay pays. */
type BuyingChain = Pick<RelayChain, 'chainId' | 'config' | 'ledger' | 'background'>;

/** What buying is made of. */
export interface PurchasingOptions {
  config: Pick<RelayConfig, 'sellers' | 'routes'>;
  chains: readonly BuyingChain[];
  ledger: PurchaseLedger;
  /** 32 bytes: pays where no other wallet is named. */
  relayKey: Uint8Array;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Log;
  /** How often channels are looked at. */
  keepIntervalMs?: number;
}

const defaultKeepIntervalMs = 5_000;
const minuteMs = 60_000;
/** What a crash left unsent must not wait for a channel that happens to be low. */
const resumeIntervalMs = 5_000;

/** A provider that is paid, with all that paying it takes. */
interface Seller {
  config: SellerConfig;
  wallet: PayerWallet;
  client: ChainClient;
}

/**
 * Wires what the relay buys.
 * @throws AutoPayError `invalid_configuration` if a wallet's key is not set
 */
export function createPurchasing(options: PurchasingOptions): Purchasing {
  const { clock, config, ledger, log } = options;
  const chains = [...options.chains];
  const closer = createPurchaseCloser({ ledger, log });
  const stopping = new AbortController();
  const sellers = config.sellers.map((seller): Seller => {
    const known = chains.find(({ chainId }) => chainId === seller.chainId);
    const client = known?.background.client ?? createChainClient({ rpcUrl: seller.rpcUrl, chainId: seller.chainId });
    return { config: seller, wallet: readWallet(seller, options), client };
  });
  let plain: Transport | undefined;
  const transport: Transport = {
    send(request) {
      if (plain) return plain.send(request);
      throw new AutoPayError('internal_error', 'Providers are asked before there is a transport.');
    },
  };
  const queues = createQueues(options, chains, stopping.signal);
  const keepers = sellers.flatMap((seller): ChannelKeeper[] => {
    const { channel } = seller.config;
    const questions = channel && questionsOf(seller, { channel, routes: config.routes, transport });
    return channel && questions ? [keep(seller, { channel, questions, queue: queues.of(seller), options })] : [];
  });
  const keepChannels = createJob({
    ...{ name: 'keep channels with providers', log, maxRetryMs: minuteMs },
    intervalMs: options.keepIntervalMs ?? defaultKeepIntervalMs,
    work: () => keepAll(keepers),
  });
  const nudge = () => void keepChannels.run().catch(() => undefined);
  const payers = new Map(
    sellers.map((seller) => [seller.config.provider, payerOf(seller, { options, closer, nudge })]),
  );
  let unknown = 0;
  const settle = createJob({
    ...{ name: 'settle purchases', log, intervalMs: minuteMs },
    async work() {
      unknown = await settlePurchases({
        ...{ ledger, log, nowMs: () => clock.nowMs() },
        async readAuthorization({ chainId, nonce, payer, token }) {
          const seller = sellers.find((one) => one.config.chainId === chainId);
          return seller && readAuthorization(seller.client, { token, payer, nonce });
        },
        askSpent: (place) => askSpentOf(sellers, { ...place, ledger, routes: config.routes, transport }),
      });
    },
  });
  const jobs: Job<void>[] = sellers.length === 0 ? [] : [settle];
  if (keepers.length > 0) jobs.push(queues.resume, keepChannels);

  return {
    wrap(given) {
      plain = given;
      return payers.size === 0 ? given : createPayingTransport({ transport: given, payers, log });
    },
    addChain: (chain) => void chains.push(chain),
    start() {
      for (const job of jobs) job.start();
    },
    channels: () => keepers.map((keeper) => keeper.condition()),
    state() {
      const channels: PurchasingState['channels'] = {};
      for (const { condition } of keepers.map((keeper) => keeper.condition())) {
        channels[condition] = (channels[condition] ?? 0) + 1;
      }
      return { unknown, channels };
    },
    async resume(provider) {
      const seller = sellers.find((one) => one.config.provider === provider);
      const channel = seller && (await findChannel(ledger, seller));
      if (!channel) return false;
      await ledger.changePurchaseChannel({ channelId: channel.channelId, stopped: null });
      nudge();
      return true;
    },
    async stop() {
      stopping.abort();
      await Promise.all(jobs.map((job) => job.stop()));
      await closer.idle();
    },
  };
}

/** All are looked at, whatever one of them did. */
async function keepAll(keepers: readonly ChannelKeeper[]): Promise<void> {
  const failures: unknown[] = [];
  // One after the other: deposits of one wallet share what the escrow may take.
  for (const keeper of keepers) await keeper.keep().catch((error: unknown) => failures.push(error));
  const [first] = failures;
  if (failures.length > 0) throw new AggregateError(failures, first instanceof Error ? first.message : String(first));
}

function payerOf(
  { client, config: seller, wallet }: Seller,
  {
    options,
    closer,
    nudge,
  }: { options: PurchasingOptions; closer: ReturnType<typeof createPurchaseCloser>; nudge: () => void },
): UpstreamPayer {
  const { chainId, channel, method, token } = seller;
  const nowMs = () => options.clock.nowMs();
  const shared = { terms: seller, wallet, ledger: options.ledger, closer, nowMs };
  if (method === 'evm/session' && channel) {
    const isRelay = remember({
      ask: (key) => isRelayOf(client, { payee: key.slice(0, 42) as Hex, signer: key.slice(42) as Hex }),
      ...{ lifetimeMs: minuteMs, nowMs },
    });
    const { escrow } = channel;
    return createChannelPayer({ ...shared, escrow, isRelay: (payee, signer) => isRelay(payee + signer), onLow: nudge });
  }
  const readDomain = remember({
    ask: async () => (await readTokenDomains(client, { chainId, tokens: [token.address] }))[0] ?? null,
    ...{ lifetimeMs: Infinity, nowMs },
  });
  return createAuthorizationPayer({
    ...shared,
    method: method === 'x402' ? method : 'evm/charge',
    networks: [`eip155:${chainId}`, v1NetworkOf(chainId)],
    readDomain: () => readDomain(token.address),
  });
}

function keep(
  { client, config: seller, wallet }: Seller,
  parts: {
    channel: SellerChannelConfig;
    questions: SellerQuestions;
    queue: Pick<TransactionQueue, 'follow' | 'send'>;
    options: PurchasingOptions;
  },
): ChannelKeeper {
  const { channel, options, questions, queue } = parts;
  const { clock, ledger, log } = options;
  const nowMs = () => clock.nowMs();
  const { balance, escrow, finality, refill } = channel;
  return createChannelKeeper({
    ...{ client, escrow, finality, terms: seller, wallet, balance, refill, queue, ledger, log, nowMs },
    fees: createFeeAverage({ client, nowMs }),
    askPayee: () => askPayee(questions),
  });
}

/** The transactions of each wallet on each chain go through one queue: the relay's own, or one that is made here. */
function createQueues({ log, relayKey }: PurchasingOptions, chains: readonly BuyingChain[], signal: AbortSignal) {
  const made = new Map<string, TransactionQueue>();
  const find = ({ config: { chainId }, wallet }: Seller): TransactionQueue => {
    const chain = chains.find((known) => known.chainId === chainId);
    if (chain === undefined) {
      throw new AutoPayError(
        'chain_unavailable',
        `Chain ${chainId} could not be reached yet. It is tried again by itself.`,
      );
    }
    const { background, config, ledger } = chain;
    if (Buffer.from(wallet.privateKey).equals(Buffer.from(relayKey))) return background.transactions;
    const name = `${chainId}:${wallet.address}`;
    const account = privateKeyToAccount(toHex(wallet.privateKey));
    const queue =
      made.get(name) ??
      createTransactionQueue({
        ...{ client: background.client, ledger, account, chainId, log, signal },
        ...config.chain.transactions,
      });
    made.set(name, queue);
    return queue;
  };
  return {
    /** Finds its chain when it is used: one that cannot be reached at the start comes later. */
    of: (seller: Seller): Pick<TransactionQueue, 'follow' | 'send'> => ({
      follow: async (purpose) => find(seller).follow(purpose),
      send: async (request) => find(seller).send(request),
    }),
    resume: createJob({
      ...{ name: 'accounts that buy', intervalMs: resumeIntervalMs, log },
      async work() {
        await Promise.all([...made.values()].map((queue) => queue.resume()));
      },
    }),
  };
}

function questionsOf(
  { config: seller }: Seller,
  { channel, routes, transport }: { channel: SellerChannelConfig; transport: Transport } & Pick<RelayConfig, 'routes'>,
): SellerQuestions | undefined {
  const deployments = routes.flatMap((route): readonly Deployment[] => route.deployments);
  const deployment = deployments.find(({ provider }) => provider === seller.provider);
  // Nobody buys from a provider that no route names.
  return deployment && { transport, terms: seller, escrow: channel.escrow, deployment };
}

function findChannel(ledger: PurchaseLedger, { config: seller, wallet }: Seller) {
  const { chainId, channel, provider, token } = seller;
  if (!channel) return undefined;
  return ledger.findPurchaseChannel({
    provider,
    chainId,
    escrow: channel.escrow,
    payer: wallet.address,
    token: token.address,
  });
}

async function askSpentOf(
  sellers: readonly Seller[],
  place: { provider: string; channelId: Hex; ledger: PurchaseLedger; transport: Transport } & Pick<
    RelayConfig,
    'routes'
  >,
): Promise<{ spent: bigint; sequence: number } | undefined> {
  const seller = sellers.find(({ config }) => config.provider === place.provider);
  const channel = seller && (await findChannel(place.ledger, seller));
  const own = seller?.config.channel;
  const questions = seller && own && questionsOf(seller, { ...place, channel: own });
  if (channel?.channelId !== place.channelId || !questions) return undefined;
  const spent = await askSpent(questions, channel, seller.wallet);
  return spent === undefined ? undefined : { spent, sequence: channel.sequence };
}
