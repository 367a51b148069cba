import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { changesOfName } from '../build-upstream-body.ts';
import { UnusableAnswer } from '../router.ts';
import { spliceTopLevel } from '../splice-top-level.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { Endpoint, ToldError, UpstreamBodyOptions } from './endpoint.ts';
import { MessagesMeter, readMessageUsage } from './messages-meter.ts';
import { modelOf } from './openai-wire.ts';
import { parseMessagesRequest } from './parse-messages-request.ts';

/** `POST /v1/messages` (Anthropic API reference, "Messages"). */
export const messages: Endpoint = {
  path: '/v1/messages',
  parse: parseMessagesRequest,
  buildBody,
  readAnswer,
  textMembers: ['text', 'thinking'],
  stream: {
    createMeter: () => new MessagesMeter(),
    repeats: 1,
    // `message_stop`, which ends the stream, stands before the receipt.
    closing: '',
    writeError: (error) => `event: error\ndata: ${JSON.stringify(errorBody(error, 500, {}))}\n\n`,
  },
  writeError: (error, { status, facts }) => errorBody(error, status, facts),
};

/** What a deployment's `defaults` may say. */
const defaults = ['temperature', 'top_p', 'top_k'];

function buildBody({ asked, body, deployment, outputTokens }: UpstreamBodyOptions): Buffer {
  const changes = changesOfName(asked, deployment, defaults);
  if (asked.outputLimit?.tokens !== outputTokens) changes.set('max_tokens', String(outputTokens));
  return spliceTopLevel(body, asked.members, changes);
}

function readAnswer(value: JsonObject): AnswerFacts {
  const { content, usage } = value;
  if (!Array.isArray(content)) throw new UnusableAnswer('the answer has no content');
  return {
    usage: readMessageUsage(usage),
    model: modelOf(value),
    texts: content.filter(isObject).flatMap(textsOfBlock),
  };
}

/** The texts of a content block that were generated: text, thinking as far as it is shown, names and input of tools. */
function textsOfBlock({ input, name, text, thinking }: JsonObject): string[] {
  const called = isObject(input) ? JSON.stringify(input) : undefined;
  return [text, thinking, name, called].filter((one) => typeof one === 'string');
}

/** Anthropic's types of errors (API reference, "Errors"), by their status. */
const errorTypes: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
]);
const typeNames = new Set(errorTypes.values());

/** An error as Anthropic's API answers it; code, parameter and facts are the relay's. */
function errorBody({ message, type, param, code }: ToldError, status: number, facts: object): JsonObject {
  const named = errorTypes.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  // What Anthropic said itself stays; `invalid_request_error` is OpenAI's word for most.
  const isTheirs = type !== 'invalid_request_error' && typeNames.has(type);
  return { type: 'error', error: { type: isTheirs ? type : named, message, param, code, ...facts } };
}
