import { createPublicClient, createWalletClient, http, type PublicClient } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import { paymentChannelsAbi } from '../protocol/abi/payment-channels.ts';
import { priceBookAbi } from '../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../protocol/abi/price-oracle.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createPaymentFacts, type PaymentFacts } from './chain/read-payment-facts.ts';
import { asChainError, checkChainId } from './chain/send-transaction.ts';
import type { PayToken, RelayOffer } from './fetch-relay-terms.ts';
import { makeDeposit, topUpDeposit, type Depositing } from './send-deposit.ts';

const requestTimeoutMs = 20_000;
/** The chain that Hardhat and Anvil simulate mines at once; elsewhere, polling faster than blocks come gains nothing. */
const simulatedChainId = 31_337;

/** What the wallet asks of the chain and does there. */
export interface WalletChain extends PaymentFacts {
  /** The channel as the chain has it; undefined if there is none. Amounts in atomic units. */
  readChannel(channelId: Hex): Promise<{ deposit: bigint; settled: bigint; isClosing: boolean } | undefined>;
  /** Whether AutoPayLLM lets this address act as a relay. */
  isRelay(address: Hex): Promise<boolean>;
  /** Whether KeyRegistry has this address as a key that signs receipts, at a time in unix seconds; without one, now. */
  isReceiptKey(address: Hex, atSeconds?: number): Promise<boolean>;
  /** Whether PriceBook had a price table in force at a time, in unix seconds. */
  isInForce(priceRoot: Hex, atSeconds: number): Promise<boolean>;
  /** A token's decimals, by its own word. */
  readDecimals(token: Hex): Promise<number>;
  /**
   * Approves and opens a channel, and returns once it is in a block. The payer signs its own vouchers.
   * @throws AutoPayError `transaction_failed` if the funds do not suffice or a transaction fails.
   */
  openChannel(options: { token: PayToken; deposit: bigint; salt: Hex; channelId: Hex }): Promise<void>;
  /**
   * Approves and tops a channel up, and returns once that is in a block.
   * @throws AutoPayError as `openChannel`; `transaction_pending` while another transaction of the wallet is under way.
   */
  topUpChannel(options: { token: PayToken; amount: bigint; channelId: Hex }): Promise<void>;
  /** What the wallet has of a token, in atomic units. */
  balanceOf(token: Hex): Promise<bigint>;
  /** A round of a token's price feed; undefined if it was not the current one at that time. */
  readRound(
    token: Hex,
    named: { roundId: bigint; atSeconds: number },
  ): Promise<{ answer: bigint; answerDecimals: number } | undefined>;
}

/** What of a relay's offer the chain side needs. */
type ChainTerms = Pick<RelayOffer, 'chainId' | 'escrow' | 'payee' | 'priceOracle' | 'priceBook' | 'keyRegistry'>;

/**
 * Connects a wallet to the chain of a relay. Every call throws AutoPayError `chain_unavailable` if the node does not
 * answer or is on another chain.
 * @param options.privateKey 0x-hex of the payer's key.
 */
export function connectWalletChain(options: { rpcUrl: string; privateKey: Hex; terms: ChainTerms }): WalletChain {
  const { terms } = options;
  const account = privateKeyToAccount(options.privateKey);
  const transport = http(options.rpcUrl, { timeout: requestTimeoutMs, retryCount: 2 });
  const pollingInterval = terms.chainId === simulatedChainId ? 50 : 1_000;
  const reader = createPublicClient({ transport, pollingInterval });
  const escrow = { address: terms.escrow, abi: paymentChannelsAbi } as const;
  let checkedChain: Promise<void> | undefined;

  async function onRightChain<T>(action: () => Promise<T>): Promise<T> {
    checkedChain ??= checkChainId(reader, terms.chainId);
    try {
      await checkedChain;
      return await action();
    } catch (error) {
      checkedChain = undefined;
      throw asChainError(error);
    }
  }

  const depositing = (token: PayToken, deposit: bigint): Depositing => {
    return { reader, wallet: createWalletClient({ account, transport }), terms, token, deposit };
  };

  const readChannel: WalletChain['readChannel'] = async (channelId) => {
    const channel = await reader.readContract({ ...escrow, functionName: 'getChannel', args: [channelId] });
    if (channel.deposit === 0n) return undefined;
    const isClosing = channel.finalized || channel.closeRequestedAt !== 0n;
    return { deposit: channel.deposit, settled: channel.settled, isClosing };
  };

  return {
    readChannel: (channelId) => onRightChain(() => readChannel(channelId)),
    isRelay: (address) =>
      onRightChain(async () => {
        const contract = { address: terms.payee, abi: autoPayLlmAbi } as const;
        const role = await reader.readContract({ ...contract, functionName: 'RELAY_ROLE' });
        return reader.readContract({ ...contract, functionName: 'hasRole', args: [role, address] });
      }),
    isReceiptKey: (address, atSeconds) =>
      onRightChain(async () => {
        const at = atSeconds === undefined ? await readNow(reader) : BigInt(atSeconds);
        const registry = { address: terms.keyRegistry, abi: keyRegistryAbi } as const;
        return reader.readContract({ ...registry, functionName: 'isValidAt', args: [address, at] });
      }),
    isInForce: (priceRoot, atSeconds) =>
      onRightChain(() => {
        const book = { address: terms.priceBook, abi: priceBookAbi } as const;
        return reader.readContract({ ...book, functionName: 'isInForce', args: [priceRoot, BigInt(atSeconds)] });
      }),
    readDecimals: (token) =>
      onRightChain(() => reader.readContract({ address: token, abi: fiatTokenAbi, functionName: 'decimals' })),
    balanceOf: (token) =>
      onRightChain(() =>
        reader.readContract({ address: token, abi: fiatTokenAbi, functionName: 'balanceOf', args: [account.address] }),
      ),
    ...createPaymentFacts({ reader, owner: account.address, payee: terms.payee, guard: onRightChain }),
    readRound: (token, { roundId, atSeconds }) =>
      onRightChain(async () => {
        // A uint80: what is beyond is no round.
        if (roundId >> 80n !== 0n) return undefined;
        const [price, wasCurrent] = await reader.readContract({
          address: terms.priceOracle,
          abi: priceOracleAbi,
          functionName: 'priceAt',
          args: [token, roundId, BigInt(atSeconds)],
        });
        return wasCurrent ? { answer: price.answer, answerDecimals: price.decimals } : undefined;
      }),
    openChannel: ({ token, deposit, salt, channelId }) =>
      onRightChain(async () => {
        await makeDeposit(depositing(token, deposit), salt);
        // The id was computed here, from this wallet's own inputs: the chain must now know a channel under it.
        const opened = await readChannel(channelId);
        if (opened?.deposit !== deposit) {
          throw new AutoPayError(
            'transaction_failed',
            `The chain does not know channel ${channelId} with this deposit. Is ${terms.escrow} a PaymentChannels contract?`,
          );
        }
      }),
    topUpChannel: ({ token, amount, channelId }) =>
      onRightChain(() => topUpDeposit(depositing(token, amount), channelId)),
  };
}

/** The later of the chain's clock and ours: a local chain's runs ahead while contracts are deployed. Unix seconds. */
async function readNow(reader: PublicClient): Promise<bigint> {
  const { timestamp } = await reader.getBlock();
  const now = BigInt(Math.floor(Date.now() / 1_000));
  return timestamp > now ? timestamp : now;
}
