import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf } from './byte-string.ts';
import { ChunkPattern } from './chunk-pattern.ts';
import { StreamMeter } from './stream-meter.ts';

const encode = (text: string) => Buffer.from(text).toString('latin1');
const eventOf = (data: string) => encode(`data: ${data}\n\n`);
const chunkOf = (literal: string) => `{"id":"1","choices":[{"index":0,"delta":{"content":${literal}}}],"usage":null}`;
const shownOf = (literal: string) => `{"id":"1","choices":[{"index":0,"delta":{"content":${literal}}}]}`;
const pattern = ChunkPattern.of(eventOf(chunkOf('"Hi"')), { member: 'content', shown: eventOf(shownOf('"Hi"')) });

test('gives the text of a chunk like it, and what goes on of its event', () => {
  for (const [literal, text] of [
    ['" you"', ' you'],
    ['""', ''],
    ['"äöü €🙂"', 'äöü €🙂'],
    [String.raw`"a \"b\"\n\u00e9"`, 'a "b"\né'],
  ] as const) {
    expect(pattern?.match(eventOf(chunkOf(literal)))).toEqual({ text, shown: eventOf(shownOf(literal)) });
  }
});

test.each([
  'null',
  '1',
  '"',
  '',
  '"a","refusal":"b"',
  '"a"}},{"index":1,"delta":{"content":"b"',
  '"a\nb"',
  '\n"a"',
  ' "a"',
  String.raw`"a\"`,
  String.raw`"\x"`,
])('another chunk is not like it: %j', (literal) => {
  expect(pattern?.match(eventOf(chunkOf(literal)))).toBeNull();
});

test('nor is one that differs beside the text, or is cut', () => {
  for (const data of [
    chunkOf('"Hi"').replace('"1"', '"2"'),
    chunkOf('"Hi"').replace('null', '7'),
    chunkOf('"Hi"').slice(0, -1),
  ]) {
    expect(pattern?.match(eventOf(data))).toBeNull();
  }
  expect(pattern?.match('')).toBeNull();
  expect(pattern?.match(eventOf(shownOf('"Hi"')))).toBeNull();
});

test('strings that hide the length of chunks differ too, before or after the text', () => {
  const chunks = [
    (text: string, pad: string) => `{"choices":[{"delta":{"content":"${text}"}}],"obfuscation":"${pad}"}`,
    (text: string, pad: string) => `{"obfuscation":"${pad}","choices":[{"delta":{"content":"${text}"}}]}`,
  ];
  for (const chunk of chunks) {
    const first = eventOf(chunk('Hi', 'abc'));
    const padded = ChunkPattern.of(first, { member: 'content', shown: first });
    const next = eventOf(chunk(' you', 'x'));
    expect(padded?.match(next)).toEqual({ text: ' you', shown: next });
    expect(padded?.match(eventOf(chunk(' you', 'x').replace('"x"', '7')))).toBeNull();
  }
});

test.each([
  '{"choices":[{"delta":{"content":"a"}}],"role":"content"}',
  '{"choices":[{"delta":{"content":"a"}}],"more":{"content":"a"}}',
  '{"choices":[{"delta":{"content" :"a"}}]}',
  '{"choices":[{"delta":{"content": "a"}}]}',
  String.raw`{"choices":[{"delta":{"\u0063ontent":"a"}}],"more":{"content":"a"}}`,
  '{"choices":[{"delta":{"content":"a"}}],\ndata: "more":1}',
])('does not guess where the text stands: %s', (data) => {
  expect(ChunkPattern.of(eventOf(data), { member: 'content', shown: eventOf(data) })).toBeNull();
});

/** Pieces of JSON that make chunks alike, almost alike, and not at all. */
const literal = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"content"', '"\\"content\\":\\"x\\""', '"\\u00e9\\n"', 'null', '7', '"é€"', '"usage"', '""'),
);
const delta = fc.oneof(
  { weight: 6, arbitrary: literal.map((text) => `{"content":${text}}`) },
  literal.map((text) => `{"reasoning_content":${text}}`),
  literal.map((text) => `{"reasoning":${text},"content":null}`),
  fc.tuple(literal, literal).map(([thought, text]) => `{"reasoning_content":${thought},"reasoning":${text}}`),
  fc
    .tuple(literal, literal)
    .map(([thought, text]) => `{"reasoning_content":7,"reasoning":${thought},"refusal":${text}}`),
  fc.tuple(literal, literal).map(([role, text]) => `{"role":${role},"content":${text}}`),
  fc.tuple(literal, literal).map(([thought, text]) => `{"reasoning_content":${thought},"content":${text}}`),
  fc.constant('{}'),
  literal.map((text) => `{"tool_calls":[{"function":{"arguments":${text}}}]}`),
);
const choice = fc.tuple(
  fc.oneof(
    delta.map((value) => `"delta":${value}`),
    literal.map((text) => `"text":${text}`),
    fc.constant('"text":7'),
  ),
  fc.constantFrom('', ',"finish_reason":null', ',"finish_reason":"stop"'),
  fc.constantFrom('0', '0', '1'),
);
const chunk = fc
  .tuple(
    fc.array(choice, { minLength: 1, maxLength: 2 }),
    fc.constantFrom(
      '',
      ',"usage":null',
      ',"usage": null',
      ',"usage":{"prompt_tokens":1,"completion_tokens":2}',
      ',"usage":{"prompt_tokens":1,"completion_tokens":3}',
    ),
    fc.oneof(
      fc.constant(''),
      literal.map((text) => `,"obfuscation":${text}`),
      literal.map((text) => `,"x":{"content":${text}}`),
      literal.map((text) => `,"x":{"text":${text}}`),
    ),
    fc.constantFrom('"model":"m",', '"model":"mö",', ''),
  )
  .map(([choices, usage, more, model]) => {
    const list = choices.map(([text, reason, index]) => `{"index":${index},${text}${reason}}`).join(',');
    return `{${model}"choices":[${list}]${usage}${more}}`;
  });

test('a meter that knows the pattern reads a stream as one that reads each chunk for itself', () => {
  const stringMember = /"(content|text|reasoning|reasoning_content)":"(?:[^"\\]|\\.)*"/;
  // Chunks that differ in one string, in turn with others.
  const streams = fc.tuple(
    fc.array(chunk, { minLength: 1, maxLength: 3 }),
    fc.array(fc.tuple(fc.nat(2), literal), { maxLength: 12 }),
  );
  fc.assert(
    fc.property(streams, fc.boolean(), ([kinds, turns], showUsage) => {
      const stream = turns.map(([kind, text]) =>
        (kinds[kind % kinds.length] ?? '').replace(stringMember, (_, name) => `"${name}":${text}`),
      );
      const whole = new StreamMeter({ showUsage, choices: 2 });
      const finished: boolean[] = [];
      for (const data of stream) {
        const alone = new StreamMeter({ showUsage, choices: 2 });
        const before = whole.texts.length;
        expect(whole.takeEvent(eventOf(data))).toEqual(alone.takeEvent(eventOf(data)));
        expect(whole.texts.slice(before)).toEqual(alone.texts);
        if (alone.usage) expect(whole.usage).toEqual(alone.usage);
        finished.push(alone.isFinished);
      }
      if (finished.includes(true)) expect(whole.isFinished).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('a member that only has the name of a text is none', () => {
  const meter = new StreamMeter({ showUsage: false });
  for (const other of ['b', 'c']) {
    meter.takeEvent(eventOf(`{"choices":[{},{"delta":{"content":"a"}}],"x":{"text":"${other}"}}`));
  }
  expect(meter.texts).toEqual(['a', 'a']);
});

test('bytes that are no UTF-8 go on as they came', () => {
  const meter = new StreamMeter({ showUsage: false });
  for (const text of ['a', 'b\xff', '\xe2\x82']) {
    const event = `data: ${chunkOf(`"${text}"`)}\n\n`;
    const step = meter.takeEvent(event);
    expect(step).toEqual({ kind: 'chunk', bytes: `data: ${shownOf(`"${text}"`)}\n\n` });
  }
  expect(meter.texts).toEqual(['a', 'b\ufffd', bytesOf('\xe2\x82').toString('utf8')]);
});
