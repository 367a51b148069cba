import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { costOfUsage, quoteOfBounds } from '../../protocol/pricing/token-prices.ts';
import type { ExtendOutcome, ExtendRequest } from '../ledger/channel-ledger.ts';
import type { BudgetTerms, ReserveRefusal, SpendingScope } from '../ledger/ledger.ts';
import { judgeUsage } from '../metering/judge-usage.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import type { Quote } from '../metering/quote-call.ts';
import type { CallWatch } from './call-watch.ts';
import type { AnswerFacts } from './endpoints/answer-facts.ts';

/** How streams are sold whose payers sign as they read. */
export interface SliceTerms {
  /** What is held at a time, beyond what has been delivered: output tokens. */
  outputTokens: number;
  /** How long a stream waits for a voucher, milliseconds. */
  waitMs: number;
  /**
   * Channels with a stream that cost more than was held of it: they get no slices any more, as long as this process runs. It grows
   * by at most one for each channel, and a channel takes a deposit.
   */
  unpaid: Set<Hex>;
  extend(request: ExtendRequest): Promise<ExtendOutcome>;
}

/** A stream that was admitted for less than its quote. */
export interface FirstSlice {
  /** What is held, atomic units. */
  held: bigint;
  budget: BudgetTerms;
  scopes: readonly SpendingScope[];
}

/** The payer has not signed on in time, or is gone: what was delivered is what it gets. */
export class VoucherMissing extends Error {
  override readonly name = 'VoucherMissing';
}

/** English has about four bytes to a token, other scripts fewer; what is delivered must not cost more than what is held. */
const bytesPerToken = 3;
/** A voucher may come by another relay, so the books are asked. */
const pollMs = 200;

/** What paying for one stream slice by slice needs. */
export interface PayAsYouStreamOptions {
  callId: string;
  terms: SliceTerms;
  first: FirstSlice;
  /** Of the whole stream: never is more held. */
  quote: Quote;
  sale: SaleTerms;
  watch: Pick<CallWatch, 'write' | 'clientGone' | 'signal'>;
}

/**
 * Holds as much of a channel as a stream has cost, and a slice more, while it is delivered (MPP EVM session draft, "Insufficient
 * Balance During Streaming"). Where the vouchers end, the stream stops, and asks for the next one by a named event.
 */
export class PayAsYouStream {
  readonly #options: PayAsYouStreamOptions;
  #held: bigint;
  #outputTokens = 0;
  #textsSeen = 0;

  constructor(options: PayAsYouStreamOptions) {
    this.#options = options;
    this.#held = options.first.held;
  }

  /**
   * Resolves when what was read of the answer is covered, so that it may be delivered.
   * @throws VoucherMissing
   */
  async cover({ texts }: Pick<AnswerFacts, 'texts'>): Promise<void> {
    for (; this.#textsSeen < texts.length; this.#textsSeen += 1) {
      const bytes = Buffer.byteLength(texts[this.#textsSeen] ?? '');
      if (bytes > 0) this.#outputTokens += Math.ceil(bytes / bytesPerToken);
    }
    const needed = this.#costOf(this.#outputTokens);
    if (needed <= this.#held) return;
    const wanted = this.#costOf(this.#outputTokens + this.#options.terms.outputTokens);
    if ((await this.#hold(wanted)) === null) return;
    await this.#await(needed, wanted);
  }

  /** Holds what a whole answer has cost, if it is signed; what is not is not charged. */
  async settle({ texts, usage }: Pick<AnswerFacts, 'texts' | 'usage'>): Promise<void> {
    if (!usage || usage.isBegun) return;
    const { quote, sale } = this.#options;
    const { choices, outputTokens, promptTokens } = quote;
    const answerBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const margins = { promptMargin: 0, completionMargin: 0 };
    const judged = judgeUsage(usage, {
      ...{ promptTokens, completionTokens: outputTokens * choices, answerBytes },
      ...margins,
    });
    const cost = costOfUsage(judged.usage, sale);
    await this.#hold(cost < quote.amount ? cost : quote.amount);
  }

  /** The stream stands still until the payer has signed on. */
  async #await(needed: bigint, wanted: bigint): Promise<void> {
    const { terms, watch } = this.#options;
    const endsAtMs = performance.now() + terms.waitMs;
    let told: bigint | undefined;
    while (!watch.clientGone && !watch.signal.aborted && performance.now() < endsAtMs) {
      // As much as a slice ahead, or else just what is there.
      const refusal = (await this.#hold(wanted)) && (await this.#hold(needed));
      if (refusal === null) return;
      if (refusal.code !== 'insufficient_headroom') break;
      const { requiredCumulative } = this.#required(refusal, wanted);
      if (told !== requiredCumulative) await this.#ask(refusal, requiredCumulative);
      told = requiredCumulative;
      await sleep(pollMs, undefined, { signal: watch.signal }).catch(() => undefined);
    }
    throw new VoucherMissing('no voucher came in time');
  }

  /** The refusal counts what was tried last; the client is to be asked for a whole slice. */
  #required({ channel }: ReserveRefusal, wanted: bigint): { requiredCumulative: bigint } {
    const spentAndHeld = channel === null ? 0n : channel.charged + channel.reserved;
    return { requiredCumulative: spentAndHeld + wanted - this.#held };
  }

  #ask({ channel }: ReserveRefusal, requiredCumulative: bigint): Promise<void> {
    const channelId: Hex | undefined = channel?.channelId;
    const event = {
      channelId,
      requiredCumulative: String(requiredCumulative),
      acceptedCumulative: String(channel?.acceptedCumulative ?? 0n),
      deposit: String(channel?.deposit ?? 0n),
    };
    return this.#options.watch.write(Buffer.from(`event: payment-need-voucher\ndata: ${JSON.stringify(event)}\n\n`));
  }

  async #hold(amount: bigint): Promise<ReserveRefusal | null> {
    if (amount <= this.#held) return null;
    const { callId, first, terms } = this.#options;
    const outcome = await terms.extend({ callId, quote: amount, budget: first.budget, scopes: first.scopes });
    if (!outcome.ok) return outcome.refusal;
    this.#held = amount;
    return null;
  }

  /** The prompt as quoted, and so many tokens of output, over all choices. */
  #costOf(outputTokens: number): bigint {
    const { quote, sale } = this.#options;
    const cost = quoteOfBounds({ promptTokens: quote.promptTokens, choices: 1, outputTokens }, sale);
    return cost < quote.amount ? cost : quote.amount;
  }
}
