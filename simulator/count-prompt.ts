import type { ChatRequest, JsonObject } from './parse-request.ts';
import { isObject } from './parse-request.ts';
import { countTokens } from './split-tokens.ts';

// OpenAI cookbook, "How to count tokens with tiktoken", gpt-4o: each message is framed by 3 tokens, a name costs one
// more, and the answer is primed with 3.
const PER_MESSAGE = 3;
const PER_NAME = 1;
const PRIMING = 3;

// The cookbook's figure that opens and closes a list of functions; what is between is counted as its JSON.
const PER_TOOL_LIST = 12;

// OpenAI's guide "Images and vision", gpt-4o: 85 tokens for low detail, and 170 more for each of the four tiles of a
// 1024 × 1024 image. The simulator never loads the image, so it takes that size.
const LOW_DETAIL_IMAGE = 85;
const IMAGE = 765;

/** Prompt tokens of a request, chat template included. A function of the body alone. */
export function countPrompt(request: ChatRequest): number {
  let total = PRIMING;
  for (const message of request.messages) total += PER_MESSAGE + countMessage(message);
  if (request.tools.length > 0) total += PER_TOOL_LIST + countTokens(JSON.stringify(request.tools));
  if (request.format.type === 'json_schema') total += countTokens(JSON.stringify(request.format.schema));
  return total;
}

function countMessage(message: JsonObject): number {
  let total = countTokens(String(message.role)) + countContent(message.content);
  if (typeof message.name === 'string') total += PER_NAME + countTokens(message.name);
  if (Array.isArray(message.tool_calls)) {
    for (const call of message.tool_calls as unknown[]) {
      if (isObject(call)) total += countTokens(JSON.stringify(call.function ?? null));
    }
  }
  return total;
}

function countContent(content: unknown): number {
  if (typeof content === 'string') return countTokens(content);
  if (!Array.isArray(content)) return 0;
  let total = 0;
  for (const part of content as JsonObject[]) {
    if (typeof part.text === 'string') total += countTokens(part.text);
    else if (typeof part.refusal === 'string') total += countTokens(part.refusal);
    else if (isObject(part.image_url)) total += part.image_url.detail === 'low' ? LOW_DETAIL_IMAGE : IMAGE;
  }
  return total;
}
