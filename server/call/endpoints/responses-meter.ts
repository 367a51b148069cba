import type { TokenUsage } from '../../../protocol/receipt/call-receipt.ts';
import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { readUsage, type UsageShape } from '../../metering/read-usage.ts';
import type { ByteString } from '../byte-string.ts';
import { readUpstreamError } from '../read-upstream-error.ts';
import { BrokenStream } from '../stream-meter.ts';
import { modelOf } from './openai-wire.ts';
import { readTypedEvent } from './read-typed-event.ts';
import type { StreamMeter, StreamStep } from './stream-step.ts';

/** Events that end a stream with an answer: `incomplete` is one that met its output limit. */
const endings = ['response.completed', 'response.incomplete'];
/** Events that end one without: what they have in `response.error` is why. */
const failures = ['response.failed', 'response.cancelled'];

/** Reads the events of a streamed response on their way (OpenAI API reference, "Responses", "Streaming events"). */
export class ResponsesMeter implements StreamMeter {
  usage: TokenUsage | null = null;
  model: string | null = null;
  readonly texts: string[] = [];
  /** The event that ends a stream has its usage: without one there is no whole answer. */
  readonly isFinished = false;
  readonly #shape: UsageShape | undefined;

  constructor(shape?: UsageShape) {
    this.#shape = shape;
  }

  /** @inheritdoc */
  takeEvent(block: ByteString): StreamStep {
    const event = readTypedEvent(block);
    if (event.kind !== 'event') return event;
    const { bytes, type, value } = event;
    if (type === 'error') throw new BrokenStream(readUpstreamError({ error: value['error'] ?? toldBy(value) }, null));
    const response = isObject(value['response']) ? value['response'] : {};
    if (failures.includes(type)) throw new BrokenStream(readUpstreamError({ error: response['error'] ?? {} }, null));
    this.model ??= modelOf(response);
    if (endings.includes(type)) {
      this.usage = readResponseUsage(response['usage'], this.#shape);
      return { kind: 'end', bytes };
    }
    // Texts, arguments of tools, refusals, reasoning as far as it is shown.
    if (type.endsWith('.delta') && typeof value['delta'] === 'string') this.texts.push(value['delta']);
    return { kind: 'chunk', bytes };
  }
}

function toldBy({ message, code, param }: JsonObject): JsonObject {
  return { message, code, param };
}

/** The usage of a response: the same as a chat completion's, under other names. */
export function readResponseUsage(value: unknown, shape?: UsageShape): TokenUsage | null {
  if (!isObject(value)) return null;
  const counted = {
    prompt_tokens: value['input_tokens'],
    prompt_tokens_details: value['input_tokens_details'],
    completion_tokens: value['output_tokens'],
    completion_tokens_details: value['output_tokens_details'],
    total_tokens: value['total_tokens'],
  };
  return readUsage(counted, shape);
}
