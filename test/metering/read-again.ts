import type { RecordedAnswer } from './record-answers.ts';

/** Test support: what the second meter reads, from the raw text of both sides. */

/** A request and its answer, as far as they are metered. */
export interface ReadAgain {
  /** Objects with role and content. */
  messages: readonly unknown[];
  hasOnlyText: boolean;
  /** Usage under the names of a chat completion; undefined if there is none. */
  told: unknown;
  /** Whether its count of output tokens says anything; true if omitted. */
  isOutputCounted?: boolean;
  /** All text of the answer. */
  texts: string;
}

/** Reads a request and its answer, of whichever API. */
export function readAgain({ answer, path, request, stream }: RecordedAnswer): ReadAgain {
  const asked: unknown = JSON.parse(request);
  const replies = stream ? readEvents(answer) : [JSON.parse(answer) as unknown];
  if (path === '/v1/responses') return readResponses(asked, replies);
  if (path === '/v1/messages') return readMessages(asked, replies);
  const messages = list(asked, 'messages');
  return {
    messages,
    hasOnlyText: messages.every((message) => {
      const content = dig(message, 'content');
      return !Array.isArray(content) || content.every((part) => dig(part, 'type') === 'text');
    }),
    told: lastThatCounts(replies.map((reply) => dig(reply, 'usage')).filter(isThere)),
    texts: replies.flatMap((reply) => list(reply, 'choices').flatMap(textsOf)).join(''),
  };
}

/** The last one, unless it counts nothing and one before it did. */
function lastThatCounts(usages: readonly unknown[]): unknown {
  const last = usages.at(-1);
  const isZero = (usage: unknown) => dig(usage, 'completion_tokens') === 0;
  return isZero(last) ? (usages.findLast((usage) => !isZero(usage)) ?? last) : last;
}

function readResponses(asked: unknown, replies: readonly unknown[]): ReadAgain {
  const input = dig(asked, 'input');
  const items: unknown[] = Array.isArray(input) ? input : [{ role: 'user', content: input }];
  const system = dig(asked, 'instructions');
  const whole = replies.map((reply) => dig(reply, 'response') ?? reply).at(-1);
  const usage = dig(whole, 'usage');
  const deltas = replies.map((reply) => dig(reply, 'delta'));
  const said = list(whole, 'output').flatMap((item) => [
    ...[...list(item, 'content'), ...list(item, 'summary')].map((part) => dig(part, 'text')),
    ...[dig(item, 'name'), dig(item, 'arguments')],
  ]);
  return {
    messages: [...(isThere(system) ? [{ role: 'system', content: system }] : []), ...items],
    hasOnlyText: true,
    told: isThere(usage) && {
      prompt_tokens: dig(usage, 'input_tokens'),
      prompt_tokens_details: dig(usage, 'input_tokens_details'),
      completion_tokens: dig(usage, 'output_tokens'),
      completion_tokens_details: dig(usage, 'output_tokens_details'),
      total_tokens: dig(usage, 'total_tokens'),
    },
    texts: joined(replies.length > 1 ? deltas : said),
  };
}

function readMessages(asked: unknown, replies: readonly unknown[]): ReadAgain {
  const system = dig(asked, 'system');
  // What a stream begins with counts no output.
  const isOutputCounted =
    replies.length === 1 || replies.some((reply) => isThere(dig(dig(reply, 'usage'), 'output_tokens')));
  const usages = replies.flatMap((reply) => [dig(dig(reply, 'message'), 'usage'), dig(reply, 'usage')]).filter(isThere);
  const isCount = (count: unknown) => typeof count === 'number' && count >= 0 && count % 1 === 0;
  // None gets less in a stream; what is no count stays one that is none.
  const most = (name: string) => {
    const counts = usages.map((usage) => dig(usage, name)).filter(isThere);
    return counts.find((count) => !isCount(count)) ?? counts.sort((a, b) => Number(a) - Number(b)).at(-1);
  };
  const cached = most('cache_read_input_tokens') ?? 0;
  const written = most('cache_creation_input_tokens') ?? 0;
  const parts = [most('input_tokens'), cached, written];
  // A sum with a part that is no count is none.
  const isSum = parts.every(isCount);
  const blocks = replies.flatMap((reply) => [
    ...list(reply, 'content'),
    dig(reply, 'content_block'),
    dig(reply, 'delta'),
  ]);
  const said = blocks.flatMap((block) => {
    const input = dig(block, 'input');
    const names = ['text', 'thinking', 'partial_json', 'name'].map((name) => dig(block, name));
    return isThere(input) ? [...names, JSON.stringify(input)] : names;
  });
  return {
    messages: [...(isThere(system) ? [{ role: 'system', content: system }] : []), ...list(asked, 'messages')],
    hasOnlyText: true,
    isOutputCounted,
    told: usages.length > 0 && {
      prompt_tokens: isSum ? parts.reduce<number>((sum, part) => sum + Number(part), 0) : NaN,
      prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
      completion_tokens: isOutputCounted ? most('output_tokens') : 0,
    },
    texts: joined(said),
  };
}

function joined(texts: readonly unknown[]): string {
  return texts.filter((text) => typeof text === 'string').join('');
}

/** The data of a stream's events up to `[DONE]`. */
function readEvents(body: string): unknown[] {
  const data = body.split(/\r?\n/).flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
  const end = data.indexOf('[DONE]');
  return data.slice(0, end < 0 ? undefined : end).map((text) => JSON.parse(text) as unknown);
}

/** What a choice says: content, refusal, reasoning, and tools’ names and arguments. */
function textsOf(choice: unknown): string[] {
  const said = dig(choice, 'message') ?? dig(choice, 'delta');
  const thought = dig(said, 'reasoning_content') ?? dig(said, 'reasoning');
  const called = list(said, 'tool_calls').flatMap((call) => {
    return [dig(dig(call, 'function'), 'name'), dig(dig(call, 'function'), 'arguments')];
  });
  const texts = [dig(said, 'content'), dig(said, 'refusal'), thought, ...called];
  return texts.filter((text) => typeof text === 'string');
}

/** Whether a member has a value. */
export function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A member, if there is one. */
export function dig(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function list(value: unknown, name: string): unknown[] {
  const found = dig(value, name);
  return Array.isArray(found) ? found : [];
}
