import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { computeChannelId, countedSalt } from '../../protocol/typed-data/channel-id.ts';
import type { FeeAverage } from '../chain/average-fee.ts';
import { fundChannel, readEscrowChannel, type EscrowChannel, type EscrowPlace } from '../chain/fund-channel.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { PurchaseChannel, PurchaseChannelKey, PurchaseLedger } from '../ledger/purchase-ledger.ts';
import type { PayerWallet, SellerTerms } from './seller-terms.ts';

/** When and by how much a channel is filled up; amounts are atomic units. */
export interface RefillTerms {
  /** Below this it is filled up. */
  threshold: bigint;
  amount: bigint;
  /** Waits while the base fee is above its moving average. */
  gasOptimized: boolean;
  /** It is filled up all the same when it has been low for so long. */
  maxWaitMs: number;
}

/** What keeping a channel funded works with. */
export interface ChannelKeeperOptions extends EscrowPlace {
  terms: SellerTerms;
  wallet: Pick<PayerWallet, 'address'>;
  /** The first deposit, atomic units. */
  balance: bigint;
  /** Null: it is never filled up. */
  refill: RefillTerms | null;
  queue: Pick<TransactionQueue, 'follow' | 'send'>;
  ledger: Pick<
    PurchaseLedger,
    'addPurchaseChannel' | 'beginRefill' | 'changePurchaseChannel' | 'endRefill' | 'findPurchaseChannel'
  >;
  fees: FeeAverage;
  /** Asks the seller whom it wants to be paid. Throws AutoPayError if it does not say. */
  askPayee: () => Promise<Hex>;
  log: JobLog;
  nowMs: () => number;
}

/** How a channel is, for the operator. Amounts are decimal strings of atomic units. */
export interface ChannelCondition {
  provider: string;
  channelId: Hex | null;
  condition: 'opening' | 'ok' | 'low' | 'waiting_for_fees' | 'refilling' | 'unfunded' | 'stopped';
  deposit: string;
  /** What of the deposit is neither spent nor under way. */
  available: string;
  /** Why it is stopped. */
  reason?: string;
}

/** Keeps one channel funded. */
export interface ChannelKeeper {
  /**
   * Opens the channel, fills it up, or sees a deposit through. One deposit is under way at a time; one that a crash interrupted is
   * taken up, and not made twice.
   * @throws AutoPayError if a step failed; it is to be run again
   */
  keep(): Promise<void>;
  /** As of the last run. */
  condition(): ChannelCondition;
}

/** Nobody makes so many channels with one seller; a wallet of which that is not true has another use. */
const maxSalts = 256;

/** Makes the keeper of one channel. */
export function createChannelKeeper(options: ChannelKeeperOptions): ChannelKeeper {
  return new Keeper(options);
}

class Keeper implements ChannelKeeper {
  readonly #options: ChannelKeeperOptions;
  readonly #key: PurchaseChannelKey;
  #condition: ChannelCondition;
  /** The block of the last deposit that this process has seen through. */
  #fundedAtBlock = -1;

  constructor(options: ChannelKeeperOptions) {
    const { escrow, terms, wallet } = options;
    const { chainId, provider, token } = terms;
    this.#options = options;
    this.#key = { provider, chainId, escrow, payer: wallet.address, token: token.address };
    this.#condition = { provider, channelId: null, condition: 'opening', deposit: '0', available: '0' };
  }

  condition(): ChannelCondition {
    return this.#condition;
  }

  async keep(): Promise<void> {
    const { ledger, log } = this.#options;
    const channel = (await ledger.findPurchaseChannel(this.#key)) ?? (await addChannel(this.#options, this.#key));
    const { channelId } = channel;
    const seen = await readEscrowChannel(this.#options, channelId);
    // Of several nodes behind one endpoint some lag: one that has not seen a deposit would have it made once more.
    if (seen.atBlock < this.#fundedAtBlock) return;
    const overdrawn = await this.#overdrawn(channel, seen);
    if (seen.finalized) {
      await ledger.changePurchaseChannel({ channelId, retired: true });
      log.warn(about(channel), 'a channel with a provider is closed on the chain; another one will be opened');
      return;
    }
    const problem = overdrawn ?? (seen.isClosing ? 'its close was requested on the chain' : null);
    const stopped = problem !== null && channel.stopped === null ? { stopped: problem } : {};
    await ledger.changePurchaseChannel({ channelId, deposit: seen.finalDeposit, ...stopped });
    const now = { ...channel, deposit: seen.finalDeposit, ...stopped };
    await (now.refillAmount === null ? this.#refillIfLow(now, seen) : this.#fund(now, now.refillAmount));
  }

  /** Whether the seller took more than was bought, which its receipts would not show; why, in words, or null. */
  async #overdrawn(channel: PurchaseChannel, { settled }: EscrowChannel): Promise<string | null> {
    if (settled <= channel.spent + channel.reserved) return null;
    // What was bought while the chain was asked counts.
    const { reserved, spent } = (await this.#options.ledger.findPurchaseChannel(this.#key)) ?? channel;
    if (settled <= spent + reserved) return null;
    const facts = { ...about(channel), settled: String(settled), bought: String(spent + reserved) };
    if (channel.stopped === null) {
      this.#options.log.error(facts, 'a provider took more of a channel than it was bought for');
    }
    return `${settled} was taken of it on the chain, and ${spent + reserved} was bought`;
  }

  async #refillIfLow(channel: PurchaseChannel, seen: EscrowChannel): Promise<void> {
    const { ledger, log, nowMs, refill, terms } = this.#options;
    const available = leftOf({ ...channel, deposit: seen.deposit });
    const isLow = refill !== null ? available < refill.threshold : available < terms.maxPerCall;
    const { channelId, lowSinceMs } = channel;
    if (!isLow) {
      if (lowSinceMs !== null) await ledger.changePurchaseChannel({ channelId, lowSinceMs: null });
      return this.#tell(channel, 'ok');
    }
    const sinceMs = lowSinceMs ?? nowMs();
    if (lowSinceMs === null) {
      await ledger.changePurchaseChannel({ channelId, lowSinceMs: sinceMs });
      const more = refill === null ? ', and has no auto_refill' : '';
      log.warn({ ...about(channel), available: String(available) }, `a channel with a provider is low${more}`);
    }
    if (refill === null || channel.stopped !== null) return this.#tell(channel, 'low');
    if (await this.#waitsForFees(sinceMs, available)) return this.#tell(channel, 'waiting_for_fees');
    const begun = await ledger.beginRefill({ channelId, amount: refill.amount });
    await this.#fund(begun, begun.refillAmount ?? refill.amount);
  }

  /** Looks at the fees each time that a channel is low, so that their average is of what was there to choose from. */
  async #waitsForFees(lowSinceMs: number, available: bigint): Promise<boolean> {
    const { fees, nowMs, refill, terms } = this.#options;
    if (refill?.gasOptimized !== true) return false;
    const { average, baseFee } = await fees.look();
    // A channel that buys no call any more costs more than any fee.
    return baseFee > average && nowMs() - lowSinceMs < refill.maxWaitMs && available >= terms.maxPerCall;
  }

  /** Sees a deposit through that stands in the books. */
  async #fund(channel: PurchaseChannel, amount: bigint): Promise<void> {
    const { ledger, log, queue } = this.#options;
    const { channelId, payee, payer, refills, saltIndex, stopped, token } = channel;
    const purpose = `fund:${channelId}:${refills}`;
    this.#tell(channel, refills === 1 ? 'opening' : 'refilling');
    // One that was sent is seen through; nothing more is sent to a seller whose receipts did not fit.
    if (stopped !== null && (await queue.follow(purpose)) === undefined) return;
    try {
      const salt = countedSalt(saltIndex);
      const deposit = { purpose, amount, opens: refills === 1 };
      const { blockNumber } = await fundChannel(this.#options, { ...deposit, payer, payee, token, salt, channelId });
      this.#fundedAtBlock = Number(blockNumber);
    } catch (error) {
      if (error instanceof AutoPayError && error.code === 'insufficient_balance') {
        this.#tell(channel, 'unfunded');
        const message = 'a channel with a provider is low, and the wallet cannot fill it up';
        log.error({ ...about(channel), ...error.facts }, message);
      }
      throw error;
    }
    const { deposit, finalDeposit } = await readEscrowChannel(this.#options, channelId);
    await ledger.endRefill({ channelId, refill: refills, deposit: finalDeposit });
    const facts = { ...about(channel), amount: String(amount), deposit: String(deposit) };
    log.info(facts, 'a channel with a provider was funded');
    const after = await ledger.findPurchaseChannel(this.#key);
    if (after) this.#tell(after, 'ok');
  }

  #tell(channel: PurchaseChannel, how: ChannelCondition['condition']): void {
    const { channelId, deposit, provider, stopped } = channel;
    this.#condition = {
      ...{ provider, channelId, condition: stopped === null ? how : 'stopped' },
      ...{ deposit: String(deposit), available: String(leftOf(channel)) },
      ...(stopped !== null && { reason: stopped }),
    };
  }
}

function about({ channelId, provider }: PurchaseChannel) {
  return { provider, channelId };
}

/** What of the deposit is neither spent nor under way. */
function leftOf({ deposit, reserved, spent }: Pick<PurchaseChannel, 'deposit' | 'reserved' | 'spent'>): bigint {
  const left = deposit - spent - reserved;
  return left > 0n ? left : 0n;
}

/** Stores a channel that is to be opened, under the first number that is free on the chain: there a wallet finds it again. */
async function addChannel(options: ChannelKeeperOptions, key: PurchaseChannelKey): Promise<PurchaseChannel> {
  const { balance, escrow, ledger, terms, wallet } = options;
  const payee = terms.payTo ?? (await options.askPayee());
  for (let saltIndex = 0; saltIndex < maxSalts; saltIndex += 1) {
    const salt = countedSalt(saltIndex);
    const { chainId, payer, token } = key;
    const channelId = computeChannelId({ payer, payee, token, salt, authorizedSigner: zeroAddress, escrow, chainId });
    // The wallet may have opened one elsewhere, such as with the command line.
    if ((await readEscrowChannel(options, channelId)).deposit > 0n) continue;
    return ledger.addPurchaseChannel({ ...key, channelId, payee, saltIndex, amount: balance });
  }
  throw new AutoPayError('transaction_failed', `The wallet ${wallet.address} has too many channels with ${payee}.`);
}
