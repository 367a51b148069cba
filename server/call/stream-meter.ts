import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { readUsage, type UsageShape } from '../metering/read-usage.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { parseJson } from '../../protocol/text/parse-json.ts';
import { dropNullUsage } from './drop-null-usage.ts';
import type { StreamMeter as Meter, StreamStep } from './endpoints/stream-step.ts';
import { textsOfMessage } from './read-json-answer.ts';
import { readStreamEvent, writeEvent } from './read-stream-event.ts';
import { readUpstreamError } from './read-upstream-error.ts';
import { UnusableAnswer, type UpstreamRefusal } from './router.ts';
import { scanTopLevel } from './scan-top-level.ts';
import { spliceTopLevel } from './splice-top-level.ts';

/** An error event of the upstream, or a chunk that cannot be read. */
export class BrokenStream extends UnusableAnswer {
  readonly error: UpstreamRefusal['error'];

  constructor(error: UpstreamRefusal['error']) {
    super(error.message);
    this.error = error;
  }
}

const withoutUsage = new Map([['usage', null]]);

/** Reads the chunks of a streamed completion, of a chat or of a text, on their way: usage, model, texts, finished choices. */
export class StreamMeter implements Meter {
  usage: TokenUsage | null = null;
  model: string | null = null;
  readonly texts: string[] = [];
  readonly #finished = new Set<unknown>();
  readonly #showUsage: boolean;
  readonly #choices: number;
  readonly #shape: UsageShape;

  /**
   * @param options.showUsage whether the client asked for usage.
   * @param options.choices that were asked for; 1 by default.
   * @param options.shape how the provider counts
   */
  constructor(options: { showUsage: boolean; choices?: number; shape?: UsageShape | undefined }) {
    this.#showUsage = options.showUsage;
    this.#choices = options.choices ?? 1;
    this.#shape = options.shape ?? {};
  }

  /** Whether every choice has its finish reason: some providers send no `[DONE]`. */
  get isFinished(): boolean {
    return this.#finished.size >= this.#choices;
  }

  /** @inheritdoc */
  takeEvent(block: Buffer): StreamStep {
    const event = readStreamEvent(block);
    if (event.kind === 'done') return { kind: 'end', bytes: null };
    if (event.kind === 'comment') return { kind: 'comment', bytes: event.event };
    return event.kind === 'chunk' ? { kind: 'chunk', bytes: this.take(event.data, event.event) } : event;
  }

  /**
   * Takes a chunk, and gives what of it goes to the client; null if nothing.
   * @param data the chunk's JSON text. @param event the event that carries it.
   * @throws BrokenStream
   */
  take(data: Buffer, event: Buffer): Buffer | null {
    const text = data.toString('utf8');
    const value = parseChunk(text);
    if (value['error'] !== undefined && value['error'] !== null) throw new BrokenStream(readUpstreamError(value, null));
    if (this.model === null && typeof value['model'] === 'string') this.model = value['model'];
    const choices: unknown[] = Array.isArray(value['choices']) ? value['choices'] : [];
    for (const choice of choices) if (isObject(choice)) this.#takeChoice(choice);
    if (!('usage' in value)) return event;
    // Some providers count on in every chunk: the last one holds.
    const usage = readUsage(value['usage'], this.#shape);
    if (usage) this.usage = usage;
    if (this.#showUsage) return event;
    if (value['usage'] !== null && choices.length === 0) return null;
    const shown = value['usage'] === null ? dropNullUsage(text) : null;
    return writeEvent(shown ?? spliceTopLevel(data, scanTopLevel(data), withoutUsage).toString('utf8'));
  }

  #takeChoice(choice: JsonObject): void {
    const reason = choice['finish_reason'];
    // Some servers send an empty one in every chunk.
    if (typeof reason === 'string' && reason !== '') this.#finished.add(choice['index']);
    if (isObject(choice['delta'])) this.texts.push(...textsOfMessage(choice['delta']));
    // Of the older API.
    if (typeof choice['text'] === 'string') this.texts.push(choice['text']);
  }
}

/** The object of a chunk. @throws BrokenStream */
export function parseChunk(text: string): JsonObject {
  const value = parseJson(text);
  if (isObject(value)) return value;
  throw brokenChunk('The provider sent a chunk that is not JSON.');
}

/** The end of a stream with a chunk that is not of its API. */
export function brokenChunk(message: string): BrokenStream {
  return new BrokenStream({ message, type: 'upstream_error', param: null, code: 'upstream_error' });
}
