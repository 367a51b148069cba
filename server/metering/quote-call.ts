import {
  outputTokensWithin,
  promptOverheadTokens,
  quoteOfBounds,
  type QuoteBounds,
  type TokenPrices,
} from '../../protocol/pricing/token-prices.ts';

/** The output limit is not shrunk below this: shorter answers are of no use. */
const minShrunkOutputTokens = 256;

/** What a quote is made of. */
export interface QuoteInput {
  /** Length of the request body. */
  bodyBytes: number;
  textOnly: boolean;
  choices: number;
  /** The client's own limit; null if it set none. */
  requestedOutputTokens: number | null;
  /** Null on a free route. */
  prices: TokenPrices | null;
  contextTokens: number;
  maxOutputTokens: number;
  defaultMaxOutputTokens: number;
}

/** The most that a call can cost. */
export interface Quote extends QuoteBounds {
  /** Atomic units; 0 on a free route. */
  amount: bigint;
  /** Whether `outputTokens` was lowered to what the headroom buys. */
  shrunk: boolean;
}

/**
 * Quotes the worst case (DESIGN.md §4.2). The prompt has at most as many tokens as the body has bytes (byte-level BPE),
 * plus the template's; with images, sounds or files, and in any case, at most the context.
 */
export function quoteCall(input: QuoteInput): Quote {
  const { bodyBytes, textOnly, choices, contextTokens } = input;
  const promptTokens = textOnly ? Math.min(bodyBytes + promptOverheadTokens, contextTokens) : contextTokens;
  const outputTokens = Math.min(input.requestedOutputTokens ?? input.defaultMaxOutputTokens, input.maxOutputTokens);
  const bounds: QuoteBounds = { promptTokens, outputTokens, choices };
  return { ...bounds, amount: input.prices === null ? 0n : quoteOfBounds(bounds, input.prices), shrunk: false };
}

/**
 * Lowers the output bound of a quote to what `headroom` buys. The quote stays as it is where it fits, where the client
 * set the limit itself, and where fewer than 256 tokens would be left: then the whole amount is what to ask for.
 */
export function shrinkQuote(quote: Quote, input: QuoteInput, headroom: bigint): Quote {
  const { prices } = input;
  if (prices === null || input.requestedOutputTokens !== null || headroom >= quote.amount) return quote;
  const affordable = outputTokensWithin(headroom, quote, prices);
  if (affordable < BigInt(minShrunkOutputTokens) || affordable >= BigInt(quote.outputTokens)) return quote;
  const bounds: QuoteBounds = { ...quote, outputTokens: Number(affordable) };
  return { ...bounds, amount: quoteOfBounds(bounds, prices), shrunk: true };
}
