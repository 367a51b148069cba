import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Finality } from '../chain/finality.ts';
import type { WrittenFile } from './config-schema.ts';
import { parseDecimal } from './parse-decimal.ts';
import type { ChainConfig } from './relay-config.ts';
import { requireUnique, type ConfigIssue, type ConfigPath } from './report-issues.ts';
import { finalityOfStrategy } from './resolve-chain.ts';

/** A provider that the relay pays for each call. Amounts are atomic units of the token. */
export interface SellerConfig {
  provider: string;
  method: 'x402' | 'evm/charge' | 'evm/session';
  /** Undefined: the relay's own account pays. */
  walletKeyEnv: string | undefined;
  chainId: number;
  rpcUrl: string;
  token: { symbol: string; address: Hex; decimals: number };
  maxPerCall: bigint;
  maxPerDay: bigint;
  payTo: Hex | null;
  /** The channel of `evm/session`. */
  channel: SellerChannelConfig | null;
}

/** A channel that is kept funded. */
export interface SellerChannelConfig {
  escrow: Hex;
  /** The first deposit. */
  balance: bigint;
  finality: Finality;
  /** Null: it is not filled up. */
  refill: { threshold: bigint; amount: bigint; gasOptimized: boolean; maxWaitMs: number } | null;
}

const networkIds = {
  ...{ base: 8453, baseSepolia: 84532, arbitrum: 42161, arbitrumSepolia: 421614 },
  ...{ optimism: 10, polygon: 137, local: 31337 },
} as const;

type Network = keyof typeof networkIds | number;
type Auth = NonNullable<WrittenFile['providers'][number]['auth']>;
type PurchaseAuth = Exclude<Auth, { type: 'bearer' }>;
type ChannelFile = NonNullable<WrittenFile['payment_channels']>[number];
type Money = ChannelFile['balance'];

/** What resolving works with. */
interface Context {
  file: Pick<WrittenFile, 'providers' | 'payment_channels' | 'auto_refill'>;
  /** The home chain first. */
  chains: readonly Pick<ChainConfig, 'chain' | 'contracts' | 'tokens'>[];
  issues: ConfigIssue[];
}

/** Says how providers are paid that sell calls, from their `auth` and `payment_channels`. What is wrong is pushed to `issues`. */
export function resolvePurchasing(
  file: Context['file'],
  chains: Context['chains'],
  issues: ConfigIssue[],
): SellerConfig[] {
  const context = { file, chains, issues };
  const channels = file.payment_channels;
  requireUnique(
    channels.map(({ provider }) => provider),
    (index) => ({ path: ['payment_channels', index, 'provider'], message: 'has another channel already' }),
    issues,
  );
  channels.forEach(({ provider }, index) => {
    const type = file.providers.find(({ name }) => name === provider)?.auth?.type;
    if (type === 'mpp') return;
    const how = type === 'x402' ? 'is paid by x402' : 'is paid by its API key';
    const message = `${provider} ${how}, so a channel would pay nobody; give it auth: { type: mpp }, or remove the channel`;
    issues.push({ path: ['payment_channels', index, 'provider'], message });
  });
  return file.providers.flatMap((provider, index): SellerConfig[] => {
    const { auth, apiKeyEnv, name } = provider;
    if (auth === undefined || auth.type === 'bearer') return [];
    const path = ['providers', index];
    if (apiKeyEnv !== undefined)
      issues.push({ path: [...path, 'apiKeyEnv'], message: `is not sent where auth is ${auth.type}; remove it` });
    const at = channels.findIndex((channel) => channel.provider === name);
    const channel = channels[at];
    const seller =
      channel === undefined || auth.type !== 'mpp'
        ? resolveSeller(context, { name, auth, path: [...path, 'auth'] })
        : resolveChannelSeller(context, { name, auth, channel, path: ['payment_channels', at] });
    return seller ? [seller] : [];
  });
}

interface SellerFile {
  name: string;
  auth: PurchaseAuth;
  path: ConfigPath;
}

function resolveSeller(context: Context, { auth, name, path }: SellerFile): SellerConfig | undefined {
  const { chains, issues } = context;
  const chainId = auth.chain === undefined ? chains[0]?.chain.id : idOf(auth.chain);
  const chain = chains.find(({ chain: { id } }) => id === chainId);
  const rpcUrl = chain?.chain.rpcUrl ?? auth.rpcUrl;
  if (chainId === undefined || rpcUrl === undefined) {
    issues.push({ path: [...path, 'chain'], message: 'is none of chains; set rpcUrl, too' });
    return undefined;
  }
  const wanted = auth.token ?? chain?.tokens[0];
  const token = typeof wanted === 'string' ? chain?.tokens.find(({ symbol }) => symbol === wanted) : wanted;
  if (token === undefined) {
    issues.push({
      path: [...path, 'token'],
      message: 'is no token of that chain; give its { symbol, address, decimals }',
    });
    return undefined;
  }
  return {
    ...describe(context, { auth, name, path }, token),
    method: auth.type === 'x402' ? 'x402' : 'evm/charge',
    chainId,
    rpcUrl,
    channel: null,
  };
}

function resolveChannelSeller(
  context: Context,
  { auth, channel, name, path }: SellerFile & { channel: ChannelFile },
): SellerConfig | undefined {
  const { chains, file, issues } = context;
  const chainId = idOf(channel.chain);
  const chain = chains.find(({ chain: { id } }) => id === chainId);
  if (chain === undefined) {
    issues.push({
      path: [...path, 'chain'],
      message: 'has to be one of chains: the channel is opened and filled up there',
    });
    return undefined;
  }
  if (auth.chain !== undefined && idOf(auth.chain) !== chainId) {
    issues.push({ path: [...path, 'chain'], message: `differs from auth.chain of ${name}; leave that out` });
  }
  const { symbol } = channel.balance;
  const token = chain.tokens.find((known) => known.symbol === symbol);
  const named = typeof auth.token === 'object' ? auth.token.symbol : auth.token;
  if (token === undefined) {
    issues.push({ path: [...path, 'balance'], message: `is in ${symbol}, which is no token of that chain` });
    return undefined;
  }
  if (named !== undefined && named !== symbol) {
    issues.push({ path: [...path, 'balance'], message: `is in ${symbol}, and auth.token of ${name} is ${named}` });
  }
  const read = (money: Money, key: ConfigPath) => readMoney(money, token, { path: key, issues });
  const refillPath = channel.auto_refill === undefined ? ['auto_refill'] : [...path, 'auto_refill'];
  const refill = channel.auto_refill ?? file.auto_refill;
  return {
    ...describe(
      context,
      { auth, name, path: ['providers', file.providers.findIndex((one) => one.name === name), 'auth'] },
      token,
    ),
    ...{ method: 'evm/session', chainId, rpcUrl: chain.chain.rpcUrl },
    channel: {
      escrow: channel.escrow ?? chain.contracts.paymentChannels,
      balance: read(channel.balance, [...path, 'balance']),
      finality: channel.strategy === undefined ? chain.chain.finality : finalityOfStrategy(channel.strategy),
      refill: refill
        ? {
            threshold: read(refill.threshold, [...refillPath, 'threshold']),
            amount: read(refill.amount, [...refillPath, 'amount']),
            gasOptimized: refill.gas_optimized,
            maxWaitMs: refill.max_wait_seconds * 1_000,
          }
        : null,
    },
  };
}

function describe({ issues }: Context, { auth, name, path }: SellerFile, token: SellerConfig['token']) {
  const read = (text: string, key: 'maxPerCall' | 'maxPerDay') =>
    readMoney({ amount: text, symbol: token.symbol }, token, { path: [...path, key], issues });
  const { address, decimals, symbol } = token;
  return {
    ...{
      provider: name,
      walletKeyEnv: auth.walletKeyEnv,
      payTo: auth.payTo ?? null,
      token: { address, decimals, symbol },
    },
    ...{ maxPerCall: read(auth.maxPerCall, 'maxPerCall'), maxPerDay: read(auth.maxPerDay, 'maxPerDay') },
  };
}

function readMoney(
  { amount, symbol }: Money,
  token: SellerConfig['token'],
  { issues, path }: { issues: ConfigIssue[]; path: ConfigPath },
): bigint {
  if (symbol !== token.symbol) {
    issues.push({
      path,
      message: `is in ${symbol}, and the channel in ${token.symbol}; give the channel an auto_refill of its own`,
    });
    return 0n;
  }
  const atomic = parseDecimal(amount, token.decimals);
  if (atomic === undefined)
    issues.push({ path, message: `has more than the ${token.decimals} decimals of ${token.symbol}` });
  else if (atomic === 0n) issues.push({ path, message: 'has to be above 0' });
  else if (atomic >= 1n << 96n) issues.push({ path, message: 'is beyond what a channel can hold (uint96)' });
  return atomic ?? 0n;
}

function idOf(network: Network): number {
  return typeof network === 'number' ? network : networkIds[network];
}
