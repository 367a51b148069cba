import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import type { UsageShape } from '../../metering/read-usage.ts';
import { changesOfName } from '../build-upstream-body.ts';
import { UnusableAnswer } from '../router.ts';
import { spliceTopLevel } from '../splice-top-level.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { Endpoint, ToldError, UpstreamBodyOptions } from './endpoint.ts';
import { modelOf, writeOpenAiError } from './openai-wire.ts';
import { parseResponsesRequest } from './parse-responses-request.ts';
import { readResponseUsage, ResponsesMeter } from './responses-meter.ts';

/** `POST /v1/responses` (OpenAI API reference, "Responses"). */
export const responses: Endpoint = {
  path: '/v1/responses',
  parse: parseResponsesRequest,
  buildBody,
  readAnswer,
  textMembers: ['text', 'refusal', 'arguments', 'input'],
  stream: {
    createMeter: (_, shape) => new ResponsesMeter(shape),
    // Its deltas, then whole with the text, the part, the item and the response. Three events have the request's instructions and tools.
    repeats: 5,
    // `response.completed`, which ends the stream, stands before the receipt: it has the whole answer in it.
    closing: '',
    writeError: writeErrorEvent,
  },
  writeError: writeOpenAiError,
};

/** The order of an event after which there is none. */
const lastSequenceNumber = 2_147_483_647;

/** What a deployment's `defaults` may say; `reasoning_effort` is a member of `reasoning` here. */
const defaults = ['temperature', 'top_p', 'parallel_tool_calls', 'user'];

function buildBody({ asked, body, deployment, outputTokens }: UpstreamBodyOptions): Buffer {
  const changes = changesOfName(asked, deployment, defaults);
  if (asked.outputLimit?.tokens !== outputTokens) changes.set('max_output_tokens', String(outputTokens));
  const effort = deployment.defaults?.['reasoning_effort'];
  if (effort !== undefined && (asked.value['reasoning'] ?? null) === null) {
    changes.set('reasoning', JSON.stringify({ effort }));
  }
  return spliceTopLevel(body, asked.members, changes);
}

function readAnswer(value: JsonObject, shape: UsageShape | undefined): AnswerFacts {
  const { output, status, usage } = value;
  if (!Array.isArray(output)) throw new UnusableAnswer('the answer has no output');
  if (status !== 'completed' && status !== 'incomplete') throw new UnusableAnswer(`the response is ${String(status)}`);
  return {
    usage: readResponseUsage(usage, shape),
    model: modelOf(value),
    texts: output.filter(isObject).flatMap(textsOfItem),
  };
}

/** The texts of an output item that were generated: messages, reasoning as far as it is shown, calls of tools. */
function textsOfItem({ arguments: args, content, input, name, summary }: JsonObject): string[] {
  const lists: unknown[] = [content, summary].flatMap((list): unknown[] => (Array.isArray(list) ? list : []));
  const parts = lists.filter(isObject).flatMap(({ refusal, text }) => [refusal, text]);
  return [...parts, name, args, input].filter((text) => typeof text === 'string');
}

/** Both as OpenAI's reference has an error event, and as its servers send it: its clients raise the latter. */
function writeErrorEvent({ message, type, param, code }: ToldError): string {
  const error = { type, code, message, param };
  const event = { type: 'error', code, message, param, sequence_number: lastSequenceNumber, error };
  return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
}
