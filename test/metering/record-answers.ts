/** Test support: answers in the shapes that providers send, made by seed, with the requests that they answer. */

/** One answer of a provider, and what was asked. */
export interface RecordedAnswer {
  /** What it shows, for the message of a failure. */
  shape: string;
  /** Of the relay's URL. */
  path: string;
  /** A name of server/providers/catalogue.json. */
  provider: string;
  /** The client's body. */
  request: string;
  stream: boolean;
  /** The answer's body. */
  answer: string;
}

type Json = Record<string, unknown>;

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function createDice(seed: number): Dice {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (most: number): number => Math.floor(next() * most);
  return {
    below,
    chance: (share) => next() < share,
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined) throw new RangeError('nothing to pick from');
      return value;
    },
  };
}

/** What is decided by a seed. */
export interface Dice {
  /** A whole number from 0 to `most` − 1. */
  below(most: number): number;
  chance(share: number): boolean;
  pick<T>(values: readonly T[]): T;
}

/** What a provider counted, as OpenAI would say it. */
interface Counts {
  prompt: number;
  cached: number;
  written: number;
  audioIn: number;
  completion: number;
  reasoning: number;
  audioOut: number;
}

/** How each provider writes its usage. */
const writers: Record<string, (counts: Counts, dice: Dice) => Json> = {
  openai: (counts, dice) => ({
    ...sums(counts),
    prompt_tokens_details: { cached_tokens: counts.cached, audio_tokens: counts.audioIn },
    completion_tokens_details: {
      reasoning_tokens: counts.reasoning,
      audio_tokens: counts.audioOut,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: dice.below(1 + counts.completion - counts.reasoning),
    },
  }),
  deepseek: (counts, dice) => ({
    ...sums(counts),
    prompt_cache_hit_tokens: counts.cached,
    prompt_cache_miss_tokens: counts.prompt - counts.cached,
    ...(dice.chance(0.5) && { prompt_tokens_details: { cached_tokens: counts.cached } }),
    completion_tokens_details: { reasoning_tokens: counts.reasoning },
  }),
  openrouter: (counts) => ({
    ...sums(counts),
    cost: 0.00014,
    is_byok: false,
    prompt_tokens_details: { cached_tokens: counts.cached, cache_write_tokens: counts.written, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: counts.reasoning, image_tokens: 0 },
    cost_details: { upstream_inference_cost: null },
  }),
  xai: (counts, dice) => {
    const isBeside = dice.chance(0.7);
    const told = isBeside ? counts.completion - counts.reasoning : counts.completion;
    const total = dice.chance(0.2) && isBeside ? {} : { total_tokens: counts.prompt + counts.completion };
    // As Gemini, which tells its thoughts by the total only.
    if (dice.chance(0.2)) return { prompt_tokens: counts.prompt, completion_tokens: told, ...total };
    return {
      prompt_tokens: counts.prompt,
      completion_tokens: told,
      ...total,
      num_sources_used: 0,
      prompt_tokens_details: { text_tokens: counts.prompt, image_tokens: 0, cached_tokens: counts.cached },
      completion_tokens_details: { reasoning_tokens: counts.reasoning, audio_tokens: 0 },
    };
  },
  litellm: (counts, dice) => {
    const beside = { cache_read_input_tokens: counts.cached, cache_creation_input_tokens: counts.written };
    const inside = {
      prompt_tokens_details: { cached_tokens: counts.cached, cache_creation_tokens: counts.written },
    };
    return { ...sums(counts), ...dice.pick([beside, inside, { ...beside, ...inside }]) };
  },
  nvidia: (counts, dice) => ({ ...sums(counts), ...(dice.chance(0.5) && { prompt_tokens_details: null }) }),
  mistral: (counts) => sums(counts),
  together: (counts) => ({ ...sums(counts), cached_tokens: counts.cached }),
  groq: (counts) => ({ ...sums(counts), queue_time: 0.01, prompt_time: 0.002, total_time: 0.2 }),
  vllm: (counts) => ({ ...sums(counts), prompt_tokens_details: null, completion_tokens_details: null }),
  // A gateway before a provider that counts reasoning beside.
  blockrun: (counts) => ({
    ...sums(counts),
    completion_tokens: counts.completion - counts.reasoning,
    completion_tokens_details: { reasoning_tokens: counts.reasoning },
  }),
};

/** What servers tell that do not count all of it. */
const uncounted: Record<string, (usage: Json) => Json> = {
  zeros: () => ({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }),
  'no prompt': (usage) => ({ ...usage, prompt_tokens: 0 }),
  'no completion': ({ prompt_tokens: prompt }) => ({ prompt_tokens: prompt, completion_tokens: 0 }),
};

function sums({ completion, prompt }: Counts): Json {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** What a usage is spoilt by; each cannot be. */
const spoilers: Record<string, (usage: Json, dice: Dice) => Json> = {
  'negative prompt': (usage) => ({ ...usage, prompt_tokens: -5 }),
  'negative completion': (usage) => ({ ...usage, completion_tokens: -1 }),
  'fraction of a token': (usage) => ({ ...usage, completion_tokens: 12.5 }),
  'count as text': (usage) => ({ ...usage, prompt_tokens: '12' }),
  'count beyond 2^53': (usage) => ({ ...usage, completion_tokens: 1e18 }),
  'prompt above the bytes': (usage) => ({ ...usage, prompt_tokens: 900_000 }),
  'completion above the limit': (usage) => ({ ...usage, completion_tokens: 1_000_000 }),
  'more cached than prompt': (usage) => ({
    ...usage,
    prompt_tokens_details: { cached_tokens: 5_000, audio_tokens: 3 },
  }),
  'more written than is left': (usage) => ({
    ...usage,
    prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 7_000 },
  }),
  'more audio than prompt': (usage) => ({ ...usage, prompt_tokens_details: { audio_tokens: 9_999 } }),
  'more reasoning than completion': (usage) => ({
    ...usage,
    completion_tokens_details: { reasoning_tokens: 800_000 },
  }),
  'more audio than completion': (usage) => ({ ...usage, completion_tokens_details: { audio_tokens: 700_000 } }),
  'negative part': (usage) => ({ ...usage, prompt_tokens_details: { cached_tokens: -4 } }),
  'details that are none': (usage) => ({ ...usage, completion_tokens_details: 7 }),
};

const words = ['The', ' quick', ' brown', ' fox', ' größer', ' 素早い', ' \u{1f98a}', '\n\n', ' "q"', ' 3.14', '.'];

function write(dice: Dice, length: number): string[] {
  return Array.from({ length }, () => dice.pick(words));
}

/** One answer, the same for the same seed. */
export function recordAnswer(seed: number): RecordedAnswer {
  const dice = createDice(seed);
  const provider = dice.pick(Object.keys(writers));
  const stream = dice.chance(0.5);
  const choices = dice.chance(0.25) ? 2 + dice.below(2) : 1;
  const request = writeRequest(dice, { stream, choices });
  const messages = Array.from({ length: choices }, () => writeMessage(dice));
  const visible = messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
  const counts = count(dice, { bytes: request.length, visible: Math.min(visible, 40 * choices) });
  const usage = writers[provider]?.(counts, dice) ?? {};
  const fate = fateOf(dice);
  const told = fate === 'missing' ? null : ((spoilers[fate] ?? uncounted[fate])?.(usage, dice) ?? usage);
  const tier = dice.pick([{}, { service_tier: 'default' }, { service_tier: 'flex' }, { service_tier: 'priority' }]);
  const head = { id: 'chatcmpl-1', created: 1_790_000_000, model: `${provider}-model`, ...tier };
  const parts = { dice, provider, head, messages, told };
  const answer = stream ? writeStream(parts) : writeJson(parts);
  return {
    shape: `${provider}, ${stream ? 'stream' : 'JSON'}, ${fate}`,
    path: '/v1/chat/completions',
    provider,
    request,
    stream,
    answer,
  };
}

function fateOf(dice: Dice): string {
  if (dice.chance(0.12)) return 'missing';
  if (dice.chance(0.1)) return dice.pick(Object.keys(uncounted));
  return dice.chance(0.2) ? dice.pick(Object.keys(spoilers)) : 'plain';
}

function writeRequest(dice: Dice, { stream, choices }: { stream: boolean; choices: number }): string {
  const text = () => write(dice, 1 + dice.below(20)).join('');
  const image = { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } };
  const content = dice.chance(0.15) ? [{ type: 'text', text: text() }, image] : text();
  const tool = { type: 'function', function: { name: 'look_up', parameters: { type: 'object', properties: {} } } };
  const limit = dice.pick([{}, { max_tokens: 60 }, { max_completion_tokens: 200 }, { max_tokens: 9_000 }]);
  return JSON.stringify({
    model: 'sold',
    messages: [
      { role: 'system', content: text() },
      { role: 'user', content, ...(dice.chance(0.2) && { name: 'ann' }) },
    ],
    ...(dice.chance(0.2) && { tools: [tool] }),
    ...(choices > 1 && { n: choices }),
    ...(stream && { stream: true }),
    ...(stream && dice.chance(0.5) && { stream_options: { include_usage: dice.chance(0.5) } }),
    ...limit,
  });
}

/** What one choice says. */
interface Message {
  content: string[] | null;
  reasoning: string[];
  reasoningName: 'reasoning' | 'reasoning_content';
  refusal: string[];
  tool: { name: string; arguments: string[] } | null;
  finish: string;
}

function writeMessage(dice: Dice): Message {
  const calls = dice.chance(0.2);
  const refuses = !calls && dice.chance(0.1);
  const finish = calls ? 'tool_calls' : dice.pick(['stop', 'stop', 'length', 'content_filter']);
  return {
    content: calls || refuses ? null : write(dice, dice.below(8)),
    reasoning: dice.chance(0.25) ? write(dice, 1 + dice.below(3)) : [],
    reasoningName: dice.pick(['reasoning', 'reasoning_content'] as const),
    refusal: refuses ? ['I cannot', ' help', ' with that.'] : [],
    tool: calls ? { name: 'look_up', arguments: ['{"a":', ' "ö', '"}'] } : null,
    finish,
  };
}

/** Counts that can be: no prompt above the body's bytes, nor completion above the smallest limit. */
function count(dice: Dice, { bytes, visible }: { bytes: number; visible: number }): Counts {
  const prompt = 1 + dice.below(bytes);
  const cached = dice.chance(0.5) ? dice.below(prompt + 1) : 0;
  const written = dice.chance(0.3) ? dice.below(prompt - cached + 1) : 0;
  const completion = dice.below(visible + 1);
  return {
    ...{ prompt, cached, written, completion },
    // Some of it may have been cached.
    audioIn: dice.chance(0.2) ? dice.below(prompt + 1) : 0,
    reasoning: dice.chance(0.4) ? dice.below(completion + 1) : 0,
    audioOut: dice.chance(0.1) ? dice.below(completion + 1) : 0,
  };
}

interface AnswerParts {
  dice: Dice;
  provider: string;
  head: Json;
  messages: readonly Message[];
  told: Json | null;
}

function writeJson({ dice, head, messages, told }: AnswerParts): string {
  const choices = messages.map(({ content, finish, reasoning, reasoningName, refusal, tool }, index) => {
    const message = {
      role: 'assistant',
      content: content && content.join(''),
      ...(reasoning.length > 0 && { [reasoningName]: reasoning.join('') }),
      ...(refusal.length > 0 && { refusal: refusal.join('') }),
      ...(tool && {
        tool_calls: [{ id: 'call_1', type: 'function', function: { ...tool, arguments: tool.arguments.join('') } }],
      }),
    };
    return { index, message, logprobs: null, finish_reason: finish };
  });
  const usage = told ? { usage: told } : dice.pick([{}, { usage: null }, { usage: {} }]);
  return JSON.stringify({ ...head, object: 'chat.completion', choices, ...usage }, null, dice.pick([0, 2]));
}

function writeStream({ dice, provider, head, messages, told }: AnswerParts): string {
  const chunk = (members: Json): Json => ({ ...head, object: 'chat.completion.chunk', ...members });
  const chunks: Json[] = [];
  const say = (index: number, delta: Json, finish: string | null = null): void => {
    chunks.push(chunk({ choices: [{ index, delta, finish_reason: finish }] }));
  };
  messages.forEach((message, index) => {
    say(index, { role: 'assistant', content: '' });
    for (const text of message.reasoning) say(index, { [message.reasoningName]: text });
    for (const text of message.content ?? []) say(index, { content: text });
    for (const text of message.refusal) say(index, { refusal: text });
    if (message.tool) {
      const { arguments: pieces, name } = message.tool;
      say(index, { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name, arguments: '' } }] });
      for (const piece of pieces) say(index, { tool_calls: [{ index: 0, function: { arguments: piece } }] });
    }
    say(index, {}, message.finish);
  });
  if (told) addUsage({ dice, provider, told, chunks, last: chunk({ choices: [] }) });
  const newline = dice.chance(0.2) ? '\r\n' : '\n';
  const comments = provider === 'openrouter' ? [`: OPENROUTER PROCESSING${newline}${newline}`] : [];
  const events = chunks.map((value) => `data: ${JSON.stringify(value)}${newline}${newline}`);
  const isOpen = dice.chance(0.1);
  return [...comments, ...events, ...(isOpen ? [] : [`data: [DONE]${newline}${newline}`])].join('');
}

/** In a chunk of its own, with the last one, or counting on from chunk to chunk. */
function addUsage(options: { dice: Dice; provider: string; told: Json; chunks: Json[]; last: Json }): void {
  const { chunks, dice, last, provider, told } = options;
  const end = chunks.at(-1);
  if (provider === 'nvidia') {
    chunks.forEach((value, at) => (value['usage'] = { prompt_tokens: 1, completion_tokens: at, total_tokens: 1 + at }));
    chunks.push({ ...last, usage: told });
  } else if (end && ['mistral', 'deepseek', 'together'].includes(provider)) {
    end['usage'] = told;
  } else {
    if (dice.chance(0.5)) for (const value of chunks) value['usage'] = null;
    chunks.push({ ...last, usage: told });
    if (provider === 'groq') last['x_groq'] = { id: 'req_1', usage: told };
  }
}
