import {
  outputTokensWithin,
  promptOverheadTokens,
  quoteOfBounds,
  type QuoteBounds,
  type Tariff,
} from '../../protocol/pricing/token-prices.ts';

/** The output limit is not shrunk below this: shorter answers are of no use. */
const minShrunkOutputTokens = 256;

/** What a quote is made of. */
export interface QuoteInput {
  /** Length of the request body. */
  bodyBytes: number;
  /** Tokens of the body by the model's own tokenizer; null where nobody counted. */
  countedTokens: number | null;
  textOnly: boolean;
  choices: number;
  /** The client's own limit; null if it set none. */
  requestedOutputTokens: number | null;
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
 * What a call can use at most (DESIGN.md §4.2). The prompt has at most as many tokens as the body has bytes (byte-level
 * BPE), or as its own tokenizer makes of it, plus the template's; with images, sounds or files, and in any case, at most the context.
 */
export function boundCall(input: QuoteInput): QuoteBounds {
  const { bodyBytes, countedTokens, textOnly, choices, contextTokens } = input;
  const bodyTokens = Math.min(bodyBytes, countedTokens ?? bodyBytes) + promptOverheadTokens;
  const promptTokens = textOnly ? Math.min(bodyTokens, contextTokens) : contextTokens;
  const outputTokens = Math.min(input.requestedOutputTokens ?? input.defaultMaxOutputTokens, input.maxOutputTokens);
  return { promptTokens, outputTokens, choices };
}

/** Quotes the worst case; `tariff` is null on a free route. */
export function quoteCall(input: QuoteInput, tariff: Tariff | null): Quote {
  const bounds = boundCall(input);
  return { ...bounds, amount: tariff === null ? 0n : quoteOfBounds(bounds, tariff), shrunk: false };
}

/**
 * Lowers the output bound of a quote to what `headroom` buys. The quote stays as it is where it fits, where the client
 * set the limit itself, and where fewer than 256 tokens would be left: then the whole amount is what to ask for.
 */
export function shrinkQuote(
  quote: Quote,
  { input, tariff, headroom }: { input: QuoteInput; tariff: Tariff; headroom: bigint },
): Quote {
  if (input.requestedOutputTokens !== null || headroom >= quote.amount) return quote;
  const affordable = outputTokensWithin(headroom, quote, tariff);
  if (affordable < BigInt(minShrunkOutputTokens) || affordable >= BigInt(quote.outputTokens)) return quote;
  const { promptTokens, choices } = quote;
  const bounds: QuoteBounds = { promptTokens, choices, outputTokens: Number(affordable) };
  return { ...bounds, amount: quoteOfBounds(bounds, tariff), shrunk: true };
}
