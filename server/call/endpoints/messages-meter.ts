import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { readCount, readUsage, type ToldUsage } from '../../metering/read-usage.ts';
import type { ByteString } from '../byte-string.ts';
import { readUpstreamError } from '../read-upstream-error.ts';
import { BrokenStream } from '../stream-meter.ts';
import { modelOf } from './openai-wire.ts';
import { readTypedEvent } from './read-typed-event.ts';
import type { StreamMeter, StreamStep } from './stream-step.ts';

/** Members that hold generated text: of a block as it begins, where some servers have all of it already, and of a delta. */
const blockMembers = ['name', 'text', 'thinking'];
const deltaMembers = ['text', 'thinking', 'partial_json'];

/** Reads the events of a streamed message on their way (Anthropic API reference, "Streaming messages"). */
export class MessagesMeter implements StreamMeter {
  usage: ToldUsage | null = null;
  model: string | null = null;
  readonly texts: string[] = [];
  /** What comes before `message_stop` may be half an answer. */
  readonly isFinished = false;
  #counted: JsonObject = {};
  /** Whether the output was counted after its beginning: `message_start` only says that there is some. */
  #isOutputCounted = false;

  /** @inheritdoc */
  takeEvent(block: ByteString): StreamStep {
    const event = readTypedEvent(block);
    if (event.kind !== 'event') return event;
    const { bytes, type, value } = event;
    if (type === 'error') throw new BrokenStream(readUpstreamError(value, null));
    if (type === 'message_stop') return { kind: 'end', bytes };
    if (type === 'ping') return { kind: 'comment', bytes };
    const { content_block: begun, delta, message, usage } = value;
    if (isObject(message)) {
      this.model ??= modelOf(message);
      this.#count(message['usage']);
    }
    if (isObject(usage)) {
      this.#isOutputCounted ||= usage['output_tokens'] !== undefined && usage['output_tokens'] !== null;
      this.#count(usage);
    }
    for (const [piece, members] of [
      [begun, blockMembers],
      [delta, deltaMembers],
    ] as const) {
      if (!isObject(piece)) continue;
      for (const member of members) if (typeof piece[member] === 'string') this.texts.push(piece[member]);
    }
    return { kind: 'chunk', bytes };
  }

  /** Counts are of all that was so far: none gets less again. What cannot be a count is kept, so that it shows. */
  #count(usage: unknown): void {
    if (!isObject(usage)) return;
    const told = Object.entries(usage).filter(([, count]) => count !== null);
    const grown = told.map(([name, count]) => [name, largerOf(this.#counted[name], count)] as const);
    this.#counted = { ...this.#counted, ...Object.fromEntries(grown) };
    // The prompt is told at the beginning: it holds where the answer is broken off.
    const begun = this.#isOutputCounted ? {} : ({ output_tokens: 0 } as const);
    const read = readMessageUsage({ ...this.#counted, ...begun });
    if (read) this.usage = this.#isOutputCounted ? read : { ...read, isBegun: true };
  }
}

function largerOf(before: unknown, now: unknown): unknown {
  if (before === undefined || !isCount(now)) return now;
  return isCount(before) ? Math.max(before, now) : before;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * The usage of a message (Anthropic API reference, "Messages"): `input_tokens` are those that were neither read from the cache nor
 * written to it.
 * @returns null if there is none, or half of it is missing.
 */
export function readMessageUsage(value: unknown): ToldUsage | null {
  if (!isObject(value)) return null;
  const { cache_creation_input_tokens: created, cache_read_input_tokens: read, input_tokens, output_tokens } = value;
  if (input_tokens === undefined || input_tokens === null) return null;
  const cached = readCount(read);
  const written = readCount(created);
  return readUsage({
    prompt_tokens: readCount(input_tokens) + cached + written,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    completion_tokens: output_tokens,
  });
}
