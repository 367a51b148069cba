import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';
import { formatVoucherCredential } from '../../protocol/mpp/voucher-credential.ts';
import { ReceiptHistory } from '../../protocol/receipt/receipt-history.ts';
import { signVoucher } from '../../protocol/typed-data/sign-voucher.ts';
import type { UpstreamResponse } from '../call/transport.ts';
import type { PurchaseChannel, PurchaseLedger } from '../ledger/purchase-ledger.ts';
import { checkSellerReceipt, type BoughtCall } from './check-seller-receipt.ts';
import { describeRefusal } from './describe-refusal.ts';
import type { PurchaseCloser } from './purchase-closer.ts';
import { readSessionOffers } from './read-mpp-offers.ts';
import type { PayerWallet, SellerTerms } from './seller-terms.ts';
import type { Declined, PayableRequest, PaymentRequired, SignedPurchase, UpstreamPayer } from './upstream-payer.ts';
import { watchReceipt } from './watch-receipt.ts';

/** What paying by a channel works with. */
export interface ChannelPayerOptions {
  terms: SellerTerms;
  /** The PaymentChannels contract that holds the deposit. */
  escrow: Hex;
  wallet: PayerWallet;
  ledger: Pick<PurchaseLedger, 'openPurchase' | 'closePurchase' | 'findPurchaseChannel' | 'changePurchaseChannel'>;
  closer: PurchaseCloser;
  /** Whether a seller's contract knows an address as its relay. Throws `chain_unavailable`. */
  isRelay: (payee: Hex, signer: Hex) => Promise<boolean>;
  /** Called where the channel is missing or too low for a call; `payee` is whom the seller names. MUST NOT throw. */
  onLow: (payee: Hex) => void;
  nowMs: () => number;
}

/**
 * Pays another AutoPayLLM relay by vouchers of a channel (MPP `evm/session`), one for each call, also of calls that run at the same
 * time. A voucher is for the quote of the seller's own 402; its receipts are checked, and the first that does not fit ends all payment.
 */
export function createChannelPayer(options: ChannelPayerOptions): UpstreamPayer {
  const { escrow, ledger, terms, wallet } = options;
  const { chainId, provider } = terms;
  const token = terms.token.address;
  const histories = new Map<Hex, ReceiptHistory>();
  const scope = { chainId, verifyingContract: escrow };

  return {
    async pay(request, required) {
      const offer = findOffer(options, required);
      if ('declined' in offer) return offer;
      const { amount: maximum, payee } = offer;
      if (maximum > terms.maxPerCall) {
        return { declined: 'the price is above the limit for one call', facts: { price: String(maximum) } };
      }
      const channel = await ledger.findPurchaseChannel({ provider, chainId, escrow, payer: wallet.address, token });
      if (channel === undefined) {
        options.onLow(payee);
        return describeRefusal('no_channel');
      }
      if (channel.payee !== payee) {
        return {
          declined: 'it names another payee than the channel has',
          facts: { payee, channelPayee: channel.payee },
        };
      }
      const { channelId } = channel;
      const { callId, number } = request.attempt;
      const decision = await ledger.openPurchase({
        ...{ callId, attempt: number, provider, method: 'evm/session', chainId, token, payee, maximum },
        ...{ payer: wallet.address, nowMs: options.nowMs() },
        ...{ maxPerCall: terms.maxPerCall, maxPerDay: terms.maxPerDay },
        authority: { kind: 'channel', channelId },
      });
      if (!decision.ok) {
        if (decision.reason === 'deposit_low' || decision.reason === 'no_channel') options.onLow(payee);
        return describeRefusal(decision.reason);
      }
      const cumulative = decision.cumulative ?? 0n;
      const voucher = signVoucher(
        { channelId, cumulativeAmount: cumulative },
        { scope, privateKey: wallet.privateKey },
      );
      const history = histories.get(channelId) ?? new ReceiptHistory();
      histories.set(channelId, history);
      const bought = { purchaseId: decision.purchaseId, channel, request, maximum, history };
      return new VoucherPurchase(options, bought, formatVoucherCredential(offer.challenge, voucher));
    },
  };
}

/** A challenge that fits the configuration. */
interface SessionDemand {
  challenge: ChallengeEcho;
  amount: bigint;
  payee: Hex;
}

function findOffer({ escrow, terms }: ChannelPayerOptions, required: PaymentRequired): SessionDemand | Declined {
  const offers = readSessionOffers(required);
  const found = offers.find(
    ({ request: { currency, methodDetails, recipient } }) =>
      methodDetails.chainId === terms.chainId &&
      methodDetails.escrowContract === escrow &&
      currency === terms.token.address &&
      (terms.payTo === null || recipient === terms.payTo),
  );
  if (found) return { challenge: found.challenge, amount: found.request.amount, payee: found.request.recipient };
  const declined =
    'it offers no MPP evm/session on the chain and escrow, in the token, and to the payee of the configuration';
  return { declined, facts: { otherOffers: offers.length } };
}

interface Bought {
  purchaseId: number;
  channel: PurchaseChannel;
  request: PayableRequest;
  maximum: bigint;
  history: ReceiptHistory;
}

class VoucherPurchase implements SignedPurchase {
  readonly headers: Readonly<Record<string, string>>;
  readonly #options: ChannelPayerOptions;
  readonly #bought: Bought;
  readonly #about: Readonly<Record<string, string | number>>;

  constructor(options: ChannelPayerOptions, bought: Bought, authorization: string) {
    this.headers = { authorization };
    this.#options = options;
    this.#bought = bought;
    const { channel, maximum, request } = bought;
    const { provider, channelId } = channel;
    this.#about = { ...request.attempt, provider, channelId, amount: String(maximum) };
  }

  take(response: UpstreamResponse): UpstreamResponse {
    const { headers, status } = response;
    const receipt = headers['x-autopay-receipt'];
    const callId = headers['x-autopay-call-id'];
    if (receipt !== undefined) {
      this.#book(receipt, callId);
      return response;
    }
    if (status >= 200 && status <= 299) return this.#watch(response, callId);
    const { closer } = this.#options;
    const { purchaseId } = this.#bought;
    closer.warn({ ...this.#about, status }, 'a provider was sent a voucher, and did not answer the call');
    // What the relay itself refuses it does not charge. Somebody between may say anything.
    closer.close({ purchaseId, state: callId === undefined ? 'unknown' : 'void' }, this.#about);
    return response;
  }

  lose(): void {
    this.#options.closer.lose(this.#bought.purchaseId, this.#about);
  }

  /** A stream's receipt comes at its end; a JSON answer without one has none. */
  #watch(response: UpstreamResponse, callId: string | undefined): UpstreamResponse {
    return watchReceipt(response, (end) => {
      if (end.receipt !== null) this.#book(end.receipt, callId);
      else if (!end.isWhole) this.lose();
      else this.#stop('the answer came without a receipt');
    });
  }

  #book(encoded: string, sellerCallId: string | undefined): void {
    const { closer, isRelay, ledger } = this.#options;
    const { channel, history, maximum, purchaseId, request } = this.#bought;
    const { chainId, channelId, payee, payer, token } = channel;
    const call: BoughtCall = {
      ...{ chainId, payee, channelId, payer, token, maximum, sellerCallId, body: request.body },
    };
    closer.run(async () => {
      const known = { history, isRelay: (signer: Hex) => isRelay(payee, signer) };
      const { problem, receipt } = await checkSellerReceipt(encoded, call, known).catch(async (error: unknown) => {
        await ledger.closePurchase({ purchaseId, state: 'unknown' });
        throw error;
      });
      if (receipt === null) return this.#stop(problem);
      const { amount: cost, runningTotal, sequence } = receipt;
      const booked = { sequence, runningTotal, encoded };
      const misfit = await ledger.closePurchase({ purchaseId, state: 'paid', cost, receipt: booked });
      if (misfit !== null) this.#complain(misfit);
    }, this.#about);
  }

  #stop(problem: string): void {
    const { closer, ledger } = this.#options;
    const { channelId } = this.#bought.channel;
    this.#complain(problem);
    closer.run(async () => {
      await ledger.closePurchase({ purchaseId: this.#bought.purchaseId, state: 'unknown' });
      await ledger.changePurchaseChannel({ channelId, stopped: problem });
    }, this.#about);
  }

  #complain(problem: string): void {
    const message = 'the receipt of a provider does not fit: it is paid nothing more until the operator says so';
    this.#options.closer.error({ ...this.#about, problem }, message);
  }
}
