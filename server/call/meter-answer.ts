import type { TokenUsage, UsageKind } from '../../protocol/receipt/call-receipt.ts';
import { estimateUsage } from '../metering/estimate-usage.ts';
import { judgeUsage, type UsageBounds, type UsageFault } from '../metering/judge-usage.ts';
import { boundCall } from '../metering/quote-call.ts';
import type { AnswerFacts } from './endpoints/answer-facts.ts';
import type { ModelRequest } from './endpoints/endpoint.ts';
import type { Offer } from './offer-routes.ts';

/** What a call is charged for. */
export interface Metered {
  usage: TokenUsage;
  /** `exact`: the provider's own numbers. */
  usageKind: UsageKind;
  /** Set where the provider told what cannot be: it is charged at the bound, marked `estimated`, and its deployment rests. */
  fault: UsageFault | null;
}

/** How an answer is metered. */
export interface MeterOptions {
  asked: Pick<ModelRequest, 'overheadTokens' | 'prompt'>;
  /** What the answer is sold as. */
  offer: Pick<Offer, 'quoteInput' | 'quote'>;
  /** False where it was broken off: then it used at least what was read of it. */
  isWhole: boolean;
}

/** What some providers' own instructions for tools take beyond the byte bound: such numbers are true, and not charged. */
const toolPromptTokens = 1_024;
/** By so many tokens of each choice some providers count beyond their own limit, such as the one that ends an answer. */
const endTokens = 16;

/**
 * Meters an answer: by the provider's usage, held against what is possible; by a tokenizer where there is none, or where it says nothing.
 * Nothing is ever above the bounds of the quote, so that no charge is above it: fsck recomputes the charge from the usage alone.
 */
export async function meterAnswer(
  facts: Pick<AnswerFacts, 'texts' | 'usage'>,
  options: MeterOptions,
): Promise<Metered> {
  const bounds = boundsOf(facts, options);
  const judged = facts.usage && judgeUsage(facts.usage, bounds);
  const counted = whatIsCounted(facts.usage, bounds);
  if (judged && options.isWhole && counted.prompt && counted.completion) {
    const { fault, isExact, usage } = judged;
    return { usage, usageKind: isExact ? 'exact' : 'estimated', fault };
  }
  const input = { ...options.asked.prompt, answer: [facts.texts.join('')] };
  const estimate = judgeUsage(await estimateUsage(input), bounds).usage;
  const told = judged?.usage ?? estimate;
  const { prompt, cachedPrompt, cacheWrite, audioPrompt } = counted.prompt ? told : estimate;
  // A provider that counts on in every chunk has said how far it was; some begin with zeros.
  const isOutputTold = options.isWhole && counted.completion;
  const completion = isOutputTold ? told.completion : Math.max(told.completion, estimate.completion);
  return {
    usage: { ...told, prompt, cachedPrompt, cacheWrite, audioPrompt, completion },
    usageKind: 'estimated',
    fault: judged?.fault ?? null,
  };
}

/**
 * Which halves of a usage a provider has counted. Servers that do not count fill in zeros (LiteLLM's streams of completions, LocalAI's with
 * tools, Ollama's prompts that it has in its cache), but no prompt has none, nor an answer that says something: to believe them would
 * give the call away.
 */
function whatIsCounted(
  usage: AnswerFacts['usage'],
  { answerBytes }: Pick<UsageBounds, 'answerBytes'>,
): { prompt: boolean; completion: boolean } {
  if (!usage) return { prompt: false, completion: false };
  return { prompt: usage.prompt !== 0, completion: !usage.isBegun && (usage.completion !== 0 || answerBytes === 0) };
}

/** What is believed goes by the byte bound, even where the tokenizer counted fewer: nothing that is true exceeds it. */
function boundsOf({ texts }: Pick<AnswerFacts, 'texts'>, { asked, offer }: MeterOptions): UsageBounds {
  const { choices, outputTokens, promptTokens } = offer.quote;
  const { promptTokens: byBytes } = boundCall({ ...offer.quoteInput, countedTokens: null });
  // Where such instructions are known, they are in the quote.
  const hasHiddenPrompt = asked.prompt.tools !== undefined && asked.overheadTokens === 0;
  return {
    promptTokens,
    completionTokens: choices * outputTokens,
    promptMargin: byBytes - promptTokens + (hasHiddenPrompt ? toolPromptTokens : 0),
    completionMargin: choices * endTokens,
    answerBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
  };
}
