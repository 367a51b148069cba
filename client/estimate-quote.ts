import { promptOverheadTokens, quoteOfBounds, type Tariff } from '../protocol/pricing/token-prices.ts';
import type { CatalogueModel } from './fetch-catalogue.ts';

/** The most that a call can cost, in atomic units. */
export interface QuoteEstimate {
  /** With the client's output limit, or the relay's default, of which 32,768 tokens at most. */
  quote: bigint;
  /**
   * The least that the relay admits the call for. Below `quote` only where the client set no output limit: the relay
   * then shrinks the limit to what the headroom buys, but not below 256 tokens.
   */
  minimum: bigint;
}

/** The smallest output limit to which a relay shrinks a call (docs/PROTOCOL.md, "Quote"). */
const smallestOutputTokens = 256;

/** A relay's default beyond this is not signed for: it then shrinks the limit to what was signed. */
const mostDefaultTokens = 32_768;

/** What of a chat request bounds its cost. */
interface ChatBounds {
  bodyBytes: number;
  hasOnlyText: boolean;
  /** undefined: the client set no limit. */
  outputLimit: number | undefined;
  choices: number;
  /** Prompts, each of which may fill the context; 1 by default. */
  inputs?: number;
}

/** The fields of a request that the wallet looks at. */
export interface ChatCall extends ChatBounds {
  model: string;
  /** `fallback_models`: they may answer in its place. */
  fallbackModels: readonly string[];
}

/**
 * Reads what bounds the cost from the exact bytes of a request.
 * @returns undefined if this is no chat request that a relay would take: the relay then says what is wrong with it.
 */
export function readChatCall(body: Uint8Array): ChatCall | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
  if (!isRecord(parsed) || typeof parsed['model'] !== 'string' || !Array.isArray(parsed['messages'])) return undefined;
  const outputLimit = parsed['max_completion_tokens'] ?? parsed['max_tokens'] ?? undefined;
  const choices = parsed['n'] ?? 1;
  if ((outputLimit !== undefined && !isCount(outputLimit)) || !isCount(choices)) return undefined;
  return {
    model: parsed['model'],
    fallbackModels: namesIn(parsed['fallback_models']),
    bodyBytes: body.length,
    hasOnlyText: parsed['messages'].every(hasOnlyText),
    outputLimit,
    choices,
  };
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

/** As the relay sees it: whatever is not plainly text counts as the whole context. */
function hasOnlyText(message: unknown): boolean {
  if (!isRecord(message) || (message['audio'] !== undefined && message['audio'] !== null)) return false;
  const { content } = message;
  if (content === undefined || content === null || typeof content === 'string') return true;
  if (!Array.isArray(content)) return false;
  return content.every((part) => isRecord(part) && (part['type'] === 'text' || part['type'] === 'refusal'));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

/**
 * The relay's quote, computed from its published prices with its own arithmetic (docs/PROTOCOL.md, "Quote"), so that the
 * first voucher is neither too small nor more than needed.
 */
export function estimateQuote(
  call: ChatBounds,
  { model, tariff }: { model: Omit<CatalogueModel, 'answeredBy' | 'rows'>; tariff: Tariff },
): QuoteEstimate {
  const contextTokens = model.contextTokens * (call.inputs ?? 1);
  const promptTokens = call.hasOnlyText
    ? Math.min(call.bodyBytes + promptOverheadTokens, contextTokens)
    : contextTokens;
  const outputTokens = Math.min(
    call.outputLimit ?? Math.min(model.defaultMaxOutputTokens, mostDefaultTokens),
    model.maxOutputTokens,
  );
  const quoteFor = (tokens: number) =>
    quoteOfBounds({ promptTokens, outputTokens: tokens, choices: call.choices }, tariff);
  const minimum = call.outputLimit === undefined ? Math.min(smallestOutputTokens, outputTokens) : outputTokens;
  return { quote: quoteFor(outputTokens), minimum: quoteFor(minimum) };
}
