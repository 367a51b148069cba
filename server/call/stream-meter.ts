import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { readUsage, type UsageShape } from '../metering/read-usage.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { parseJson } from '../../protocol/text/parse-json.ts';
import { bytesOf, decodeBytes, type ByteString } from './byte-string.ts';
import { ChunkPattern } from './chunk-pattern.ts';
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
/** After so many it is a stream whose chunks are not like each other. */
const maxFruitless = 4;

/** Reads the chunks of a streamed completion, of a chat or of a text, on their way: usage, model, texts, finished choices. */
export class StreamMeter implements Meter {
  usage: TokenUsage | null = null;
  model: string | null = null;
  readonly texts: string[] = [];
  readonly #finished = new Set<unknown>();
  #sawChoice = false;
  readonly #showUsage: boolean;
  readonly #choices: number;
  readonly #shape: UsageShape;
  #pattern: ChunkPattern | null = null;
  /** Patterns in a row that no chunk was like. */
  #fruitless = 0;

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
  takeEvent(block: ByteString): StreamStep {
    const like = this.#pattern?.match(block);
    if (like) {
      this.#fruitless = 0;
      this.texts.push(like.text);
      return { kind: 'chunk', bytes: like.shown };
    }
    const event = readStreamEvent(block);
    if (event.kind === 'done') return { kind: 'end', bytes: null };
    if (event.kind === 'comment') return { kind: 'comment', bytes: event.event };
    if (event.kind !== 'chunk') return event;
    const bytes = this.#take(event.data, event.event);
    if (this.#sawChoice) return { kind: 'chunk', bytes };
    // What filters say of the prompt (Azure), or a usage that comes first: no piece of an answer yet.
    return bytes === null ? { kind: 'nothing' } : { kind: 'comment', bytes };
  }

  /** Takes a chunk, and gives what of its event goes to the client; null if nothing. @throws BrokenStream */
  #take(data: ByteString, event: ByteString): ByteString | null {
    const value = parseChunk(decodeBytes(data));
    if (value['error'] !== undefined && value['error'] !== null) throw new BrokenStream(readUpstreamError(value, null));
    if (this.model === null && typeof value['model'] === 'string') this.model = value['model'];
    const choices: unknown[] = Array.isArray(value['choices']) ? value['choices'] : [];
    this.#sawChoice ||= choices.length > 0;
    const before = this.texts.length;
    for (const choice of choices) if (isObject(choice)) this.#takeChoice(choice);
    const shown = this.#show(value, choices, { data, event });
    // Usage that comes with each chunk has to be read in each.
    const mayRepeat = this.texts.length === before + 1 && (value['usage'] ?? null) === null;
    if (mayRepeat && shown !== null) this.#learn(choices, { event, shown });
    return shown;
  }

  #show(
    value: JsonObject,
    choices: readonly unknown[],
    chunk: { data: ByteString; event: ByteString },
  ): ByteString | null {
    const { data, event } = chunk;
    if (!('usage' in value)) return event;
    // Some providers count on in every chunk: the last one holds, but for zeros, which say nothing.
    const usage = readUsage(value['usage'], this.#shape);
    if (usage && (usage.completion !== 0 || !this.usage || this.usage.completion === 0)) this.usage = usage;
    if (this.#showUsage) return event;
    if (value['usage'] !== null && choices.length === 0) return null;
    const shown = value['usage'] === null ? dropNullUsage(data) : null;
    return writeEvent(shown ?? dropUsage(data));
  }

  /** Remembers a chunk with one text as the pattern of those that follow. */
  #learn(choices: readonly unknown[], { event, shown }: { event: ByteString; shown: ByteString }): void {
    const [choice] = choices;
    if (!isObject(choice) || this.#fruitless === maxFruitless) return;
    this.#fruitless += 1;
    const member = textMemberOf(choice);
    this.#pattern = member === undefined ? null : ChunkPattern.of(event, { member, shown });
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

/** The member that holds the text of a choice that has one, if it is one of those that answers consist of. */
function textMemberOf({ delta, text }: JsonObject): string | undefined {
  if (!isObject(delta)) return typeof text === 'string' ? 'text' : undefined;
  if (typeof delta['content'] === 'string') return 'content';
  const thought = (delta['reasoning_content'] ?? null) === null ? 'reasoning' : 'reasoning_content';
  return typeof delta[thought] === 'string' ? thought : undefined;
}

/** @throws BrokenStream if it has a member twice, since its readers would not agree on it */
function dropUsage(data: ByteString): ByteString {
  const bytes = bytesOf(data);
  try {
    return spliceTopLevel(bytes, scanTopLevel(bytes), withoutUsage).toString('latin1');
  } catch {
    throw brokenChunk('The provider sent a chunk that has a member twice.');
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
