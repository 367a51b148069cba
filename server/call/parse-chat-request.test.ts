import { describe, expect, test } from 'vitest';
import { parseChatRequest } from './parse-chat-request.ts';

const messages = [{ role: 'user', content: 'Hi' }];

function parse(changes: object): ReturnType<typeof parseChatRequest> {
  return parseChatRequest(Buffer.from(JSON.stringify({ model: 'small', messages, ...changes })));
}

test('reads what the relay needs', () => {
  expect(parse({})).toMatchObject({
    model: 'small',
    stream: false,
    includeUsage: false,
    outputLimit: null,
    choices: 1,
    textOnly: true,
  });
  const full = { stream: true, stream_options: { include_usage: true }, max_tokens: 7, n: 128, temperature: 0.5 };
  expect(parse(full)).toMatchObject({
    stream: true,
    includeUsage: true,
    outputLimit: { parameter: 'max_tokens', tokens: 7 },
    choices: 128,
  });
  expect(
    parse({ max_completion_tokens: 9, max_tokens: null, n: null, stream: null, stream_options: null }),
  ).toMatchObject({
    stream: false,
    outputLimit: { parameter: 'max_completion_tokens', tokens: 9 },
    choices: 1,
  });
});

test('refuses what is no JSON object in UTF-8', () => {
  for (const body of ['', '{', '[]', 'null', '"x"', '{"a":1}}', '\ufeff{}']) {
    expect(() => parseChatRequest(Buffer.from(body))).toThrowError(expect.objectContaining({ code: 'invalid_json' }));
  }
  const notUtf8 = Buffer.from(JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'ä' }] }), 'latin1');
  expect(() => parseChatRequest(notUtf8)).toThrowError(expect.objectContaining({ code: 'invalid_json' }));
});

test('refuses wrong types by name', () => {
  const cases: [object, string][] = [
    [{ model: undefined }, 'model'],
    [{ model: 7 }, 'model'],
    [{ model: '' }, 'model'],
    [{ messages: [] }, 'messages'],
    [{ messages: 'Hi' }, 'messages'],
    [{ messages: [...messages, 'Hi'] }, 'messages[1]'],
    [{ stream: 'true' }, 'stream'],
    [{ stream_options: [] }, 'stream_options'],
    [{ stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_completion_tokens: '5' }, 'max_completion_tokens'],
    [{ max_completion_tokens: 5, max_tokens: 5 }, 'max_tokens'],
    [{ n: 0 }, 'n'],
    [{ n: 129 }, 'n'],
  ];
  for (const [changes, param] of cases) {
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
  }
});

test('refuses by name what tokens do not bound', () => {
  const cases: [object, string][] = [
    [{ web_search_options: {} }, 'web_search_options'],
    [{ prediction: { type: 'content', content: 'x' } }, 'prediction'],
    [{ models: ['dearer'] }, 'models'],
    [{ service_tier: 'priority' }, 'service_tier'],
    [{ tools: [{ type: 'function' }, { type: 'web_search' }] }, 'tools[1].type'],
    [{ tools: [null] }, 'tools[0].type'],
  ];
  for (const [changes, param] of cases) {
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'unsupported_parameter', param }));
  }
  expect(parse({ service_tier: 'auto', tools: [{ type: 'function' }], prediction: null }).model).toBe('small');
});

describe('textOnly', () => {
  const cases: [unknown, boolean][] = [
    ['Hi', true],
    [null, true],
    [[{ type: 'text', text: 'Hi' }], true],
    [
      [
        { type: 'text', text: 'Hi' },
        { type: 'image_url', image_url: { url: 'https://x' } },
      ],
      false,
    ],
    [[{ type: 'input_audio', input_audio: {} }], false],
    [[{ type: 'file', file: { file_id: 'x' } }], false],
    [['Hi'], false],
    [{}, false],
  ];
  test.each(cases)('%j → %s', (content, expected) => {
    expect(parse({ messages: [...messages, { role: 'user', content }] }).textOnly).toBe(expected);
  });

  test('earlier audio is referred to by its id', () => {
    expect(parse({ messages: [{ role: 'assistant', content: null, audio: { id: 'a' } }] }).textOnly).toBe(false);
  });
});
