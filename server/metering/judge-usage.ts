import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import type { ToldUsage } from './read-usage.ts';

/** Why a provider's usage cannot be: a number is no count, a count is above its bound, a part is above its whole. */
export type UsageFault = 'not_a_count' | 'above_bound' | 'part_above_whole';

/** What a call may be charged for. */
export interface UsageBounds {
  promptTokens: number;
  /** Of all choices together. */
  completionTokens: number;
  /** By so much true usage may be above them: it is cut, and held against nobody. */
  promptMargin: number;
  completionMargin: number;
  /** Bytes of the answer's texts: byte-level BPE makes no more tokens of what was visible. */
  answerBytes: number;
}

/** Usage that a charge may go by. */
export interface JudgedUsage {
  usage: TokenUsage;
  /** Whether the counts are the provider's own. */
  isExact: boolean;
  /** Null: it may be true. */
  fault: UsageFault | null;
}

/**
 * Holds a provider's usage against what is possible. A count above its bound becomes the bound; a part above its whole becomes the whole,
 * cached tokens before written ones. Where the whole is no count, the byte bound stands for it; where a part is none, it is priced
 * with the rest of its whole.
 */
export function judgeUsage(told: ToldUsage, bounds: UsageBounds): JudgedUsage {
  const { audioCompletion, audioPrompt, cachedPrompt, cacheWrite, reasoning } = told;
  const visibleTokens = Math.min(bounds.answerBytes, bounds.completionTokens);
  const prompt = hold(told.prompt, bounds.promptTokens, bounds.promptTokens);
  const completion = hold(told.completion, bounds.completionTokens, visibleTokens);
  const cached = hold(cachedPrompt, prompt, 0);
  const written = hold(cacheWrite, prompt - cached, 0);
  const usage: TokenUsage = {
    prompt,
    cachedPrompt: cached,
    cacheWrite: written,
    // Audio that was read from the cache is counted under both names: it is billed once, as cached.
    audioPrompt: hold(audioPrompt, prompt - cached - written, 0),
    completion,
    reasoning: hold(reasoning, completion, 0),
    audioCompletion: hold(audioCompletion, completion, 0),
  };
  const fault = faultOf(told, bounds);
  return { usage, isExact: fault === null && prompt === told.prompt && completion === told.completion, fault };
}

function faultOf(told: ToldUsage, bounds: UsageBounds): UsageFault | null {
  if (Object.values(told).some(Number.isNaN)) return 'not_a_count';
  const { audioCompletion, audioPrompt, cachedPrompt, cacheWrite, completion, prompt, reasoning } = told;
  if (prompt > bounds.promptTokens + bounds.promptMargin) return 'above_bound';
  if (completion > bounds.completionTokens + bounds.completionMargin) return 'above_bound';
  const isWithin = cachedPrompt + cacheWrite <= prompt && audioPrompt <= prompt;
  return isWithin && reasoning <= completion && audioCompletion <= completion ? null : 'part_above_whole';
}

function hold(count: number, most: number, otherwise: number): number {
  return Number.isNaN(count) ? otherwise : Math.min(count, most);
}
