import { expect, test } from 'vitest';
import { decodeBytes } from './byte-string.ts';
import { BrokenStream, StreamMeter } from './stream-meter.ts';

function take(meter: StreamMeter, text: string): string | undefined {
  const step = meter.takeEvent(Buffer.from(`data: ${text}\n\n`).toString('latin1'));
  return step.kind !== 'nothing' && step.bytes !== null ? decodeBytes(step.bytes) : undefined;
}

const chunk =
  '{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}';
const last = '{"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}';

test('hides usage from clients that did not ask for it', () => {
  const meter = new StreamMeter({ showUsage: false });
  expect(take(meter, chunk)).toBe(`data: ${chunk.replace(',"usage":null', '')}\n\n`);
  expect(take(meter, last)).toBeUndefined();
  expect(meter).toMatchObject({ usage: { prompt: 3, completion: 2 }, model: 'm', texts: ['Hi'] });
});

test('shows it to those who did', () => {
  const meter = new StreamMeter({ showUsage: true });
  expect(take(meter, chunk)).toBe(`data: ${chunk}\n\n`);
  expect(take(meter, last)).toBe(`data: ${last}\n\n`);
});

test('takes usage out of a chunk that has more to say, wherever it stands', () => {
  const meter = new StreamMeter({ showUsage: false });
  const text =
    '{"usage":{"prompt_tokens":3,"completion_tokens":2},"choices":[{"index":0,"delta":{"content":"\\"usage\\":null"}}]}';
  expect(take(meter, text)).toBe('data: {"choices":[{"index":0,"delta":{"content":"\\"usage\\":null"}}]}\n\n');
  expect(meter.usage).toMatchObject({ prompt: 3 });
});

test('passes chunks without usage as they came, even without choices', () => {
  const meter = new StreamMeter({ showUsage: false });
  const text = '{ "choices": [], "prompt_filter_results": [] }';
  expect(take(meter, text)).toBe(`data: ${text}\n\n`);
});

test('it is no piece of an answer before a choice has come', () => {
  const meter = new StreamMeter({ showUsage: false });
  const kindOf = (text: string) => meter.takeEvent(Buffer.from(`data: ${text}\n\n`).toString('latin1')).kind;
  const filter = '{"choices":[],"prompt_filter_results":[]}';
  expect([filter, last, chunk, filter, last].map(kindOf)).toEqual(['comment', 'nothing', 'chunk', 'chunk', 'chunk']);
});

test('the last usage holds, and whether it can be is judged later', () => {
  const meter = new StreamMeter({ showUsage: false });
  take(meter, '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}');
  take(meter, last);
  take(meter, '{"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":9}}');
  expect(meter.usage).toMatchObject({ prompt: NaN, completion: 9 });
  take(meter, '{"choices":[],"usage":null}');
  expect(meter.usage).toMatchObject({ prompt: NaN, completion: 9 });
});

test('zeros at the end do not take back what was counted', () => {
  const meter = new StreamMeter({ showUsage: false });
  take(meter, last);
  take(meter, '{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}');
  expect(meter.usage).toMatchObject({ prompt: 3, completion: 2 });
});

test('a content in parts is text too, thoughts within it included', () => {
  const meter = new StreamMeter({ showUsage: false });
  const thinking = [
    { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] },
    { type: 'text', text: '!' },
  ];
  for (const content of [thinking, [{ type: 'text', text: 'Hi' }], 'Hi', [5, null, [[[[[['deep']]]]]]]]) {
    take(meter, JSON.stringify({ choices: [{ index: 0, delta: { content } }] }));
  }
  expect(meter.texts).toEqual(['Hm', '!', 'Hi', 'Hi']);
});

test('counts the choices that have finished', () => {
  const meter = new StreamMeter({ showUsage: false, choices: 2 });
  take(meter, '{"choices":[{"index":1,"delta":{},"finish_reason":""}]}');
  expect(meter.isFinished).toBe(false);
  take(meter, '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
  expect(meter.isFinished).toBe(false);
  for (const index of [0, 1, 0]) take(meter, `{"choices":[{"index":${index},"delta":{},"finish_reason":"stop"}]}`);
  expect(meter.isFinished).toBe(true);
});

test('an error event and broken JSON break the stream', () => {
  const meter = new StreamMeter({ showUsage: false });
  expect(() => take(meter, '{"error":{"message":"no more","code":"x"}}')).toThrowError(
    expect.objectContaining({ error: { message: 'no more', type: 'upstream_error', param: null, code: 'x' } }),
  );
  const twice = '{"choices":[],"usage":null,"usage":null}';
  for (const text of ['{"choices":', '[]', 'null', twice]) expect(() => take(meter, text)).toThrow(BrokenStream);
});
