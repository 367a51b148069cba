import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { readUsage, type UsageShape } from '../../metering/read-usage.ts';
import { buildUpstreamBody } from '../build-upstream-body.ts';
import { parseChatRequest } from '../parse-chat-request.ts';
import { textsOfMessage } from '../read-json-answer.ts';
import { StreamMeter } from '../stream-meter.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { Endpoint } from './endpoint.ts';
import { modelOf, writeOpenAiError, writeOpenAiErrorEvent } from './openai-wire.ts';
import { readChoices } from './read-choices.ts';

/** `POST /v1/chat/completions` (OpenAI API reference, "Chat Completions"). */
export const chatCompletions: Endpoint = {
  path: '/v1/chat/completions',
  parse: parseChatRequest,
  buildBody: buildUpstreamBody,
  readAnswer,
  // In `logprobs` their names stand before arrays or not at all.
  textMembers: ['content', 'text', 'refusal', 'reasoning_content', 'arguments'],
  stream: {
    createMeter: ({ choices, includeUsage }, shape) => new StreamMeter({ showUsage: includeUsage, choices, shape }),
    repeats: 1,
    closing: 'data: [DONE]\n\n',
    writeError: writeOpenAiErrorEvent,
  },
  writeError: writeOpenAiError,
};

function readAnswer(value: JsonObject, shape: UsageShape | undefined): AnswerFacts {
  const messages = readChoices(value).map((choice) => choice['message']);
  return {
    usage: readUsage(value['usage'], shape),
    model: modelOf(value),
    texts: messages.filter(isObject).flatMap(textsOfMessage),
  };
}
