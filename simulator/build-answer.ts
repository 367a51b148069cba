import { hash } from 'node:crypto';
import type { Choice } from './build-choice.ts';
import { buildChoice } from './build-choice.ts';
import { countPrompt } from './count-prompt.ts';
import type { Directives } from './directives.ts';
import { MAX_TOKENS } from './directives.ts';
import { systemFingerprint } from './models.ts';
import type { ChatRequest } from './parse-request.ts';
import { createSeededRandom } from './seeded-random.ts';
import { WireError } from './wire-error.ts';

/** `usage` as on the wire: OpenAI API reference, "The chat completion object". */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; audio_tokens: number };
  completion_tokens_details: {
    reasoning_tokens: number;
    audio_tokens: number;
    accepted_prediction_tokens: number;
    rejected_prediction_tokens: number;
  };
}

/** A whole answer, before it is written as JSON or as a stream. */
export interface Answer {
  /** `chatcmpl-` and 29 letters and digits. */
  id: string;
  /** Unix time in seconds. */
  created: number;
  /** The model's name without directives. */
  model: string;
  systemFingerprint: string;
  choices: Choice[];
  usage: Usage;
}

/** What an answer is made from. */
export interface BuildAnswerOptions {
  request: ChatRequest;
  directives: Directives;
  /** The model's name without directives. */
  modelBase: string;
  /** Hash of the request's bytes, hexadecimal: it makes the id. */
  bodyHash: string;
  /** Unix time in seconds; null derives it from the hash. */
  createdS: number | null;
}

/**
 * Makes the answer, a function of its options alone. Model, messages and seed decide the text, so the same question has
 * the same text as JSON and as a stream.
 */
export function buildAnswer(options: BuildAnswerOptions): Answer {
  const { request, directives, modelBase, bodyHash } = options;
  if (request.n * (directives.tokens ?? 0) > MAX_TOKENS) {
    const message = `n × tokens must be at most ${MAX_TOKENS}.`;
    throw new WireError({ status: 400, message, param: 'n', code: 'invalid_sim_directive' });
  }
  const textSeed = hash('sha256', JSON.stringify([modelBase, request.messages, request.seed]));
  const choices = Array.from({ length: request.n }, (_, index) =>
    buildChoice({ request, directives, random: createSeededRandom(`${textSeed}/${index}`) }),
  );
  return {
    id: `chatcmpl-${createSeededRandom(bodyHash).alphanumeric(29)}`,
    created: options.createdS ?? createdFromHash(bodyHash),
    model: modelBase,
    systemFingerprint: systemFingerprint(modelBase),
    choices,
    usage: countUsage(request, directives, choices),
  };
}

function countUsage(request: ChatRequest, directives: Directives, choices: readonly Choice[]): Usage {
  const prompt = countPrompt(request);
  const completion = choices.reduce((sum, choice) => sum + choice.completionTokens, 0);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: Math.min(directives.cachedTokens, prompt), audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: choices.reduce((sum, choice) => sum + choice.reasoningTokens, 0),
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

/** A second in the year 2025. */
function createdFromHash(bodyHash: string): number {
  return 1_735_689_600 + (Number.parseInt(bodyHash.slice(0, 8), 16) % 31_536_000);
}
