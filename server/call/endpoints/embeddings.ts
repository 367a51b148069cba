import type { JsonObject } from '../../../protocol/text/json-object.ts';
import { isObject } from '../../../protocol/text/json-object.ts';
import { readUsage, type UsageShape } from '../../metering/read-usage.ts';
import { changesOfName } from '../build-upstream-body.ts';
import { readModelBody } from '../read-model-body.ts';
import { readCount, readFallbackModels } from '../read-request.ts';
import { refuseMember, refuseUnbounded, watchedParameters } from '../refuse-unbounded.ts';
import { UnusableAnswer } from '../router.ts';
import { spliceTopLevel } from '../splice-top-level.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { Endpoint, ModelRequest, UpstreamBodyOptions } from './endpoint.ts';
import { modelOf, writeOpenAiError } from './openai-wire.ts';
import { readTextInputs } from './read-text-inputs.ts';

const knownKeys: ReadonlySet<string> = new Set([
  ...watchedParameters,
  ...['dimensions', 'encoding_format', 'extra_body', 'fallback_models', 'input', 'input_type', 'model'],
  ...['service_tier', 'stream', 'tools', 'user'],
]);

/** A number as JSON has it, with its comma; four bytes in base64. */
const bytesPerNumber = 13;
const bytesPerNumberInBase64 = 16 / 3;
/** What stands around each. */
const bytesPerEmbedding = 128;

/** `POST /v1/embeddings` (OpenAI API reference, "Embeddings"): a prompt, and no output. */
export const embeddings: Endpoint = {
  path: '/v1/embeddings',
  parse,
  buildBody: ({ asked, body, deployment }: UpstreamBodyOptions) =>
    spliceTopLevel(body, asked.members, changesOfName(asked, deployment)),
  readAnswer,
  textMembers: [],
  stream: null,
  writeError: writeOpenAiError,
};

function parse(body: Buffer): ModelRequest {
  const { value, members, model } = readModelBody(body, knownKeys);
  refuseUnbounded(value, { limits: [], manyChoices: false });
  if (value['stream'] !== undefined && value['stream'] !== false && value['stream'] !== null)
    throw refuseMember('stream');
  const { inputs, prompt } = readTextInputs(value['input'], 'input');
  return {
    value,
    members,
    model,
    stream: false,
    includeUsage: false,
    outputLimit: { parameter: 'max_tokens', tokens: 0 },
    choices: 1,
    inputs,
    logprobs: 0,
    fallbackModels: readFallbackModels(value['fallback_models']),
    textOnly: true,
    overheadTokens: 0,
    answerBytes: readAnswerBytes(value, inputs),
    prompt,
  };
}

function readAnswerBytes(
  { dimensions, encoding_format: format }: JsonObject,
  inputs: number,
): NonNullable<ModelRequest['answerBytes']> {
  const asked = readCount(dimensions, 'dimensions');
  const bytesEach = format === 'base64' ? bytesPerNumberInBase64 : bytesPerNumber;
  return (own) => inputs * (bytesPerEmbedding + Math.ceil((asked ?? own) * bytesEach));
}

function readAnswer(value: JsonObject, shape: UsageShape | undefined): AnswerFacts {
  const { data, usage } = value;
  if (!Array.isArray(data)) throw new UnusableAnswer('the answer has no embeddings');
  // There is no output to be counted.
  const counted = isObject(usage) ? { ...usage, completion_tokens: 0 } : usage;
  return { usage: readUsage(counted, shape), model: modelOf(value), texts: [] };
}
