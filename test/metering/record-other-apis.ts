import { createDice, type Dice, type RecordedAnswer } from './record-answers.ts';

/** Test support: answers of the Responses and the Messages API, made by seed. */

type Json = Record<string, unknown>;

const words = ['The', ' quick', ' brown', ' größer', ' 素早い', ' \u{1f98a}', '\n\n', ' "q"', ' 3.14', '.'];
const write = (dice: Dice, length: number): string[] => Array.from({ length }, () => dice.pick(words));

/** One answer of the Responses API (OpenAI) or the Messages API (Anthropic), the same for the same seed. */
export function recordOtherAnswer(seed: number): RecordedAnswer {
  const dice = createDice(seed);
  return dice.chance(0.5) ? recordResponse(dice) : recordMessage(dice);
}

/** What cannot be, put into a usage with names of its own. */
function spoil(dice: Dice, usage: Json): readonly [string, Json] {
  return dice.pick([
    ['negative prompt', { ...usage, input_tokens: -1 }],
    ['fraction of a token', { ...usage, output_tokens: 0.5 }],
    ['count as text', { ...usage, input_tokens: '7' }],
    ['prompt above the bytes', { ...usage, input_tokens: 700_000 }],
    ['completion above the limit', { ...usage, output_tokens: 800_000 }],
  ] as const);
}

function recordResponse(dice: Dice): RecordedAnswer {
  const stream = dice.chance(0.5);
  const text = write(dice, 1 + dice.below(15)).join('');
  const request = JSON.stringify({
    model: 'sold',
    input: dice.chance(0.5) ? text : [{ role: 'user', content: text }],
    ...(dice.chance(0.3) && { instructions: 'Be brief.' }),
    ...(stream && { stream: true }),
    ...dice.pick([{}, { max_output_tokens: 100 }]),
    store: false,
  });
  const prompt = 1 + dice.below(request.length);
  const completion = dice.below(60);
  const usage = {
    ...{ input_tokens: prompt, output_tokens: completion, total_tokens: prompt + completion },
    input_tokens_details: { cached_tokens: dice.chance(0.5) ? dice.below(prompt + 1) : 0 },
    output_tokens_details: { reasoning_tokens: dice.below(completion + 1) },
  };
  const [fate, told] = fateOf(dice, usage, [
    ['more cached than prompt', { ...usage, input_tokens_details: { cached_tokens: prompt + 1 } }],
    ['more reasoning than completion', { ...usage, output_tokens_details: { reasoning_tokens: completion + 1 } }],
  ]);
  const said = write(dice, 1 + dice.below(10));
  const args = dice.chance(0.3) ? ['{"a":', ' 1}'] : [];
  const output = [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm. ' }] },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: said.join(''), annotations: [] }] },
    ...(args.length > 0 ? [{ type: 'function_call', name: 'look_up', arguments: args.join('') }] : []),
  ];
  const status = dice.pick(['completed', 'incomplete']);
  const response = { id: 'resp_1', object: 'response', model: 'gpt', status, output, usage: told };
  const events = [
    { type: 'response.created', response: { ...response, status: 'in_progress', output: [], usage: null } },
    { type: 'response.reasoning_summary_text.delta', delta: 'Hm. ' },
    ...said.map((delta) => ({ type: 'response.output_text.delta', delta })),
    ...args.map((delta) => ({ type: 'response.function_call_arguments.delta', delta })),
    { type: 'response.output_item.done', item: output[1] },
    { type: `response.${status}`, response },
  ];
  const answer = stream ? writeEvents(events) : JSON.stringify(response);
  const shape = `responses, ${stream ? 'stream' : 'JSON'}, ${fate}`;
  return { shape, path: '/v1/responses', provider: 'openai', request, stream, answer };
}

function recordMessage(dice: Dice): RecordedAnswer {
  const stream = dice.chance(0.5);
  const text = write(dice, 1 + dice.below(15)).join('');
  const request = JSON.stringify({
    model: 'sold',
    max_tokens: dice.pick([100, 5_000]),
    messages: [{ role: 'user', content: dice.chance(0.5) ? text : [{ type: 'text', text }] }],
    ...(dice.chance(0.3) && { system: 'Be brief.' }),
    ...(dice.chance(0.3) && { tools: [{ name: 'look_up', input_schema: { type: 'object' } }] }),
    ...(stream && { stream: true }),
  });
  const share = () => dice.below(Math.floor(request.length / 3));
  // The three are beside each other.
  const usage = {
    input_tokens: share(),
    cache_read_input_tokens: dice.pick([share(), 0, null]),
    cache_creation_input_tokens: dice.pick([share(), 0]),
    output_tokens: dice.below(60),
    service_tier: 'standard',
  };
  const [fate, told] = fateOf(dice, usage, [
    ['negative part', { ...usage, cache_read_input_tokens: -3 }],
    ['more written than is left', { ...usage, cache_creation_input_tokens: 300_000 }],
  ]);
  const said = write(dice, 1 + dice.below(10));
  const calls = dice.chance(0.3);
  const content = [
    { type: 'thinking', thinking: 'Hm. ', signature: 'x' },
    { type: 'text', text: said.join('') },
    ...(calls ? [{ type: 'tool_use', id: 'toolu_1', name: 'look_up', input: { a: 1 } }] : []),
  ];
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude' };
  const begun = told && { ...told, output_tokens: 1 };
  const isOutputUntold = stream && dice.chance(0.1);
  const events = [
    { type: 'message_start', message: { ...message, content: [], ...(begun && { usage: begun }) } },
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm. ' } },
    { type: 'ping' },
    ...said.map((piece) => ({ type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: piece } })),
    ...(calls ? [{ type: 'content_block_start', index: 2, content_block: { type: 'tool_use', name: 'look_up' } }] : []),
    ...(calls ? [{ type: 'content_block_delta', index: 2, delta: { partial_json: '{"a":1}' } }] : []),
    // Only what has changed is told again.
    {
      ...{ type: 'message_delta', delta: { stop_reason: 'end_turn' } },
      ...(told && !isOutputUntold && { usage: { output_tokens: told['output_tokens'] } }),
    },
    { type: 'message_stop' },
  ];
  const whole = { ...message, content, stop_reason: 'end_turn', ...(told && { usage: told }) };
  const answer = stream ? writeEvents(events) : JSON.stringify(whole);
  const shape = `messages, ${stream ? 'stream' : 'JSON'}, ${fate}${isOutputUntold ? ', output untold' : ''}`;
  return { shape, path: '/v1/messages', provider: 'anthropic', request, stream, answer };
}

function fateOf(dice: Dice, usage: Json, own: readonly (readonly [string, Json])[]): readonly [string, Json | null] {
  if (dice.chance(0.12)) return ['missing', null];
  if (dice.chance(0.75)) return ['plain', usage];
  return dice.chance(0.3) ? dice.pick(own) : spoil(dice, usage);
}

function writeEvents(events: readonly { type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}
