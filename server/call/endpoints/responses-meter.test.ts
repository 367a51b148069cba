import { expect, test } from 'vitest';
import type { ByteString } from '../byte-string.ts';
import { BrokenStream } from '../stream-meter.ts';
import { readResponseUsage, ResponsesMeter } from './responses-meter.ts';

const usage = {
  ...{ input_tokens: 10, input_tokens_details: { cached_tokens: 4 }, total_tokens: 15 },
  ...{ output_tokens: 5, output_tokens_details: { reasoning_tokens: 2 } },
};

function event(data: { type: string } & Record<string, unknown>): ByteString {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

test('usage is that of `response.usage`, with cached and reasoning tokens', () => {
  expect(readResponseUsage(usage)).toMatchObject({ prompt: 10, cachedPrompt: 4, completion: 5, reasoning: 2 });
  expect(readResponseUsage(null)).toBeNull();
});

test('the last event ends the stream, held, with model and usage', () => {
  const meter = new ResponsesMeter();
  const created = event({ type: 'response.created', response: { model: 'm', usage: null } });
  expect(meter.takeEvent(created)).toEqual({ kind: 'chunk', bytes: created });
  expect(meter).toMatchObject({ model: 'm', usage: null, isFinished: false });
  for (const type of ['response.output_text.delta', 'response.function_call_arguments.delta']) {
    meter.takeEvent(event({ type, delta: 'ab' }));
  }
  expect(meter.texts).toEqual(['ab', 'ab']);
  const last = event({ type: 'response.incomplete', response: { usage } });
  expect(meter.takeEvent(last)).toEqual({ kind: 'end', bytes: last });
  expect(meter.usage).toMatchObject({ prompt: 10, completion: 5 });
});

test.each([
  [{ type: 'error', code: 'server_error', message: 'Broken.', param: null }],
  [{ type: 'error', error: { code: 'server_error', message: 'Broken.', type: 'server_error' } }],
  [{ type: 'response.failed', response: { error: { code: 'server_error', message: 'Broken.' }, usage } }],
])('a failure breaks the stream, with the provider’s words: %j', (data) => {
  const meter = new ResponsesMeter();
  const told = expect.objectContaining({ message: 'Broken.', code: 'server_error' }) as unknown;
  expect(() => meter.takeEvent(event(data))).toThrow(BrokenStream);
  expect(() => meter.takeEvent(event(data))).toThrow(expect.objectContaining({ error: told }) as Error);
});
