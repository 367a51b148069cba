import { expect, test } from 'vitest';
import type { ByteString } from '../byte-string.ts';
import { BrokenStream } from '../stream-meter.ts';
import { MessagesMeter, readMessageUsage } from './messages-meter.ts';

function event(data: { type: string } & Record<string, unknown>): ByteString {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

test('what was read from the cache, and written to it, is part of the prompt', () => {
  const counts = { input_tokens: 3, cache_read_input_tokens: 20, cache_creation_input_tokens: 7, output_tokens: 5 };
  expect(readMessageUsage(counts)).toMatchObject({ prompt: 30, cachedPrompt: 20, cacheWrite: 7, completion: 5 });
  expect(readMessageUsage({ input_tokens: 3, cache_read_input_tokens: null, output_tokens: 5 })).toMatchObject({
    prompt: 3,
  });
});

test('half of a usage is none, and a negative part shows', () => {
  for (const value of [null, {}, { output_tokens: 5 }, { input_tokens: 5 }]) expect(readMessageUsage(value)).toBeNull();
  const told = readMessageUsage({ input_tokens: 30, cache_read_input_tokens: -20, output_tokens: 5 });
  expect(told?.prompt).toBeNaN();
});

test('counts go on from the first event to the last but one', () => {
  const meter = new MessagesMeter();
  const usage = { input_tokens: 3, cache_read_input_tokens: 20, cache_creation_input_tokens: 0, output_tokens: 1 };
  meter.takeEvent(event({ type: 'message_start', message: { model: 'claude', usage } }));
  expect(meter).toMatchObject({
    model: 'claude',
    usage: { prompt: 23, cachedPrompt: 20, completion: 0, isBegun: true },
  });
  meter.takeEvent(event({ type: 'content_block_start', content_block: { type: 'tool_use', name: 'f', input: {} } }));
  meter.takeEvent(event({ type: 'content_block_delta', delta: { type: 'input_json_delta', partial_json: '{"a"' } }));
  meter.takeEvent(event({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } }));
  expect(meter.usage).toMatchObject({ prompt: 23, cachedPrompt: 20, completion: 9 });
  expect(meter.usage).not.toHaveProperty('isBegun');
  expect(meter.texts).toEqual(['f', '{"a"']);
  expect(meter.isFinished).toBe(false);
  const last = event({ type: 'message_stop' });
  expect(meter.takeEvent(last)).toEqual({ kind: 'end', bytes: last });
});

test('counts of a later event that are less hold nothing back', () => {
  const meter = new MessagesMeter();
  const usage = { input_tokens: 30, cache_read_input_tokens: 20, output_tokens: 1 };
  meter.takeEvent(event({ type: 'message_start', message: { usage } }));
  meter.takeEvent(event({ type: 'message_delta', delta: {}, usage: { input_tokens: 0, output_tokens: 9 } }));
  const last = { cache_read_input_tokens: 0, output_tokens: 0 };
  meter.takeEvent(event({ type: 'message_delta', delta: {}, usage: last }));
  expect(meter.usage).toMatchObject({ prompt: 50, cachedPrompt: 20, completion: 9 });
  meter.takeEvent(event({ type: 'message_delta', delta: {}, usage: { output_tokens: -1 } }));
  expect(meter.usage?.completion).toBeNaN();
});

test('a fraction is no count, before or after one', () => {
  const meter = new MessagesMeter();
  meter.takeEvent(event({ type: 'message_start', message: { usage: { input_tokens: 30, output_tokens: 1 } } }));
  meter.takeEvent(event({ type: 'message_delta', delta: {}, usage: { output_tokens: 0.5 } }));
  expect(meter.usage?.completion).toBeNaN();
  meter.takeEvent(event({ type: 'message_delta', delta: {}, usage: { output_tokens: 9 } }));
  expect(meter.usage?.completion).toBeNaN();
});

test('without a count of the output at the end only the prompt is told', () => {
  const meter = new MessagesMeter();
  meter.takeEvent(event({ type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 1 } } }));
  meter.takeEvent(event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { input_tokens: 3 } }));
  meter.takeEvent(event({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }));
  expect(meter.usage).toMatchObject({ prompt: 3, completion: 0, isBegun: true });
});

test('a block that has its text from the beginning is counted', () => {
  const meter = new MessagesMeter();
  meter.takeEvent(event({ type: 'content_block_start', content_block: { type: 'text', text: 'All of it' } }));
  meter.takeEvent(event({ type: 'content_block_start', content_block: { type: 'thinking', thinking: 'Hm' } }));
  expect(meter.texts).toEqual(['All of it', 'Hm']);
});

test('a ping passes, but is no piece of an answer', () => {
  const ping = event({ type: 'ping' });
  expect(new MessagesMeter().takeEvent(ping)).toEqual({ kind: 'comment', bytes: ping });
});

test('an error breaks the stream, with its words', () => {
  const error = event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
  expect(() => new MessagesMeter().takeEvent(error)).toThrow(BrokenStream);
  const told = expect.objectContaining({ type: 'overloaded_error', message: 'Overloaded' }) as unknown;
  expect(() => new MessagesMeter().takeEvent(error)).toThrow(expect.objectContaining({ error: told }) as Error);
});
