import type { Directives } from './directives.ts';
import type { ChatRequest, FunctionTool } from './parse-request.ts';
import { sampleSchema } from './sample-schema.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Piece } from './split-tokens.ts';
import { splitTokens, sumTokens } from './split-tokens.ts';
import { pickLength, writeText } from './write-text.ts';
import { WireError } from './wire-error.ts';

export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** One function call in an answer. */
export interface ToolCall {
  /** `call_` and 24 letters and digits. */
  id: string;
  name: string;
  /** The JSON arguments, as they are streamed. */
  arguments: Piece[];
}

/** One of the `n` answers. */
export interface Choice {
  content: Piece[];
  toolCalls: ToolCall[];
  finishReason: FinishReason;
  /** Tokens spent before the text, not shown. */
  reasoningTokens: number;
  /** Everything billed as completion: reasoning, text, function names and arguments. */
  completionTokens: number;
}

/** What a choice is made from. */
export interface BuildChoiceOptions {
  request: ChatRequest;
  directives: Directives;
  random: SeededRandom;
}

/**
 * Makes one choice. `max_tokens` covers reasoning, as at OpenAI: reasoning that uses it up leaves no text.
 *
 * @throws {WireError} 400 `invalid_sim_directive` when `tool=` names a function that the request does not offer
 */
export function buildChoice(options: BuildChoiceOptions): Choice {
  const { request, directives } = options;
  const limit = request.maxTokens ?? Number.POSITIVE_INFINITY;
  const reasoningTokens = Math.min(directives.reasoningTokens, limit);
  const budget = limit - reasoningTokens;
  const tools = chooseTools(request, directives);
  const body = tools.length > 0 ? callTools(tools, budget, options) : answer(budget, options);
  return { ...body, reasoningTokens, completionTokens: reasoningTokens + body.tokens };
}

interface Body {
  content: Piece[];
  toolCalls: ToolCall[];
  finishReason: FinishReason;
  tokens: number;
}

function answer(budget: number, options: BuildChoiceOptions): Body {
  const { request } = options;
  const { pieces, cut } = request.format.type === 'text' ? writePlain(budget, options) : writeJson(budget, options);
  const stopped = applyStop(pieces, request.stop);
  const content = stopped ?? pieces;
  const finishReason = cut && stopped === null ? 'length' : 'stop';
  return { content, toolCalls: [], finishReason, tokens: sumTokens(content) };
}

function writePlain(budget: number, { directives, random }: BuildChoiceOptions): { pieces: Piece[]; cut: boolean } {
  const length = directives.tokens ?? pickLength(random);
  // A model that has said its last word at the limit is cut all the same: it had no token left to say so.
  return { pieces: writeText(random, Math.min(length, budget)), cut: length >= budget };
}

function writeJson(budget: number, { request, random }: BuildChoiceOptions): { pieces: Piece[]; cut: boolean } {
  const { format } = request;
  const value =
    format.type === 'json_schema'
      ? sampleSchema(format.schema)
      : { simulated: true, text: joinText(writeText(random, pickLength(random))) };
  const whole = splitTokens(JSON.stringify(value));
  return sumTokens(whole) >= budget
    ? { pieces: splitTokens(joinText(whole), budget), cut: true }
    : { pieces: whole, cut: false };
}

/** The pieces before the first stop sequence, or null when none occurs. */
function applyStop(pieces: readonly Piece[], stop: readonly string[]): Piece[] | null {
  const text = joinText(pieces);
  const ends = stop.filter((sequence) => sequence !== '').map((sequence) => text.indexOf(sequence));
  const end = Math.min(...ends.filter((index) => index >= 0));
  return Number.isFinite(end) ? splitTokens(text.slice(0, end)) : null;
}

function callTools(tools: readonly FunctionTool[], budget: number, options: BuildChoiceOptions): Body {
  const toolCalls: ToolCall[] = [];
  let left = budget;
  for (const tool of tools) {
    const nameTokens = sumTokens(splitTokens(tool.name));
    if (left <= nameTokens) {
      left = 0;
      break;
    }
    left -= nameTokens;
    const call = splitTokens(JSON.stringify(sampleSchema({ ...tool.parameters, type: 'object' }, tool.parameters)));
    const fits = sumTokens(call) < left;
    const args = fits ? call : splitTokens(joinText(call), left);
    left -= sumTokens(args);
    toolCalls.push({ id: `call_${options.random.alphanumeric(24)}`, name: tool.name, arguments: args });
    if (!fits) break;
  }
  const tokens = toolCalls.reduce(
    (sum, call) => sum + sumTokens(call.arguments) + sumTokens(splitTokens(call.name)),
    0,
  );
  // OpenAI ends a call that tool_choice forced by name with `stop`.
  const finished = typeof options.request.toolChoice === 'object' ? 'stop' : 'tool_calls';
  return { content: [], toolCalls, finishReason: left === 0 ? 'length' : finished, tokens };
}

function chooseTools(request: ChatRequest, directives: Directives): FunctionTool[] {
  const { toolChoice, tools } = request;
  if (directives.tools.length > 0) {
    return directives.tools.map((name) => {
      const tool = tools.find((candidate) => candidate.name === name);
      if (tool) return tool;
      const message = `tool=${name} names a function that is not among the request's tools; add it there.`;
      throw new WireError({ status: 400, message, param: 'tools', code: 'invalid_sim_directive' });
    });
  }
  if (toolChoice === 'required') return tools.slice(0, 1);
  return typeof toolChoice === 'object' ? tools.filter((tool) => tool.name === toolChoice.name).slice(0, 1) : [];
}

/** The text of all pieces. */
export function joinText(pieces: readonly Piece[]): string {
  return pieces.map((piece) => piece.text).join('');
}
