import type { JsonObject } from '../../../protocol/text/json-object.ts';
import { readUsage, type UsageShape } from '../../metering/read-usage.ts';
import { addStreamUsage, changesOfName } from '../build-upstream-body.ts';
import { readIncludeUsage } from '../parse-chat-request.ts';
import { readModelBody } from '../read-model-body.ts';
import { invalid, readBoolean, readCount, readFallbackModels, readLogprobs } from '../read-request.ts';
import { refuseMember, refuseUnbounded, watchedParameters } from '../refuse-unbounded.ts';
import { spliceTopLevel } from '../splice-top-level.ts';
import { StreamMeter } from '../stream-meter.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { Endpoint, ModelRequest, UpstreamBodyOptions } from './endpoint.ts';
import { modelOf, writeOpenAiError, writeOpenAiErrorEvent } from './openai-wire.ts';
import { readChoices } from './read-choices.ts';
import { readTextInputs } from './read-text-inputs.ts';

const knownKeys: ReadonlySet<string> = new Set([
  ...watchedParameters,
  ...['echo', 'extra_body', 'fallback_models', 'frequency_penalty', 'logit_bias', 'logprobs', 'max_completion_tokens'],
  ...['max_tokens', 'metadata', 'model', 'n', 'presence_penalty', 'prompt', 'seed', 'service_tier', 'stop', 'stream'],
  ...['stream_options', 'suffix', 'temperature', 'tools', 'top_k', 'top_p', 'user'],
]);

const maxChoices = 128;
/** What a deployment's `defaults` may say. */
const defaults = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'seed',
  'stop',
  'frequency_penalty',
  'presence_penalty',
  'user',
];
/** OpenAI's default, which other servers have too. */
const defaultTokens = 16;

/** `POST /v1/completions` (OpenAI API reference, "Completions (Legacy)"). */
export const completions: Endpoint = {
  path: '/v1/completions',
  parse,
  buildBody,
  readAnswer,
  textMembers: ['text'],
  stream: {
    createMeter: ({ choices, includeUsage }, shape) => new StreamMeter({ showUsage: includeUsage, choices, shape }),
    repeats: 1,
    closing: 'data: [DONE]\n\n',
    writeError: writeOpenAiErrorEvent,
  },
  writeError: writeOpenAiError,
};

function parse(body: Buffer): ModelRequest {
  const { value, members, model } = readModelBody(body, knownKeys);
  refuseUnbounded(value, { limits: ['max_tokens'] });
  // With log probabilities it would have those of the prompt, which lengthen the answer beyond any limit.
  if (value['echo'] === true) throw refuseMember('echo');
  const { inputs, prompt } = readTextInputs(value['prompt'], 'prompt');
  const choices = (readCount(value['n'], 'n', maxChoices) ?? 1) * inputs;
  if (choices > maxChoices) throw invalid('n', `so low that there are at most ${maxChoices} answers, over all prompts`);
  const { logprobs } = value;
  return {
    value,
    members,
    model,
    stream: readBoolean(value['stream'], 'stream'),
    includeUsage: readIncludeUsage(body, value, members),
    outputLimit: {
      parameter: 'max_tokens',
      tokens: readCount(value['max_tokens'], 'max_tokens') ?? defaultTokens,
    },
    choices,
    inputs,
    logprobs: readLogprobs(logprobs, 'logprobs', logprobs !== undefined && logprobs !== null),
    fallbackModels: readFallbackModels(value['fallback_models']),
    textOnly: true,
    overheadTokens: 0,
    prompt,
  };
}

function buildBody({ asked, body, deployment, outputTokens }: UpstreamBodyOptions): Buffer {
  const changes = changesOfName(asked, deployment, defaults);
  if (asked.value['max_tokens'] !== outputTokens) changes.set('max_tokens', String(outputTokens));
  addStreamUsage(changes, asked, deployment);
  return spliceTopLevel(body, asked.members, changes);
}

function readAnswer(value: JsonObject, shape: UsageShape | undefined): AnswerFacts {
  const texts = readChoices(value).map(({ text }) => text);
  return {
    usage: readUsage(value['usage'], shape),
    model: modelOf(value),
    texts: texts.filter((text) => typeof text === 'string'),
  };
}
