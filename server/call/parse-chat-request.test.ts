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
    [{ tools: { type: 'web_search' } }, 'tools'],
    [{ modalities: 'image' }, 'modalities'],
    [{ logprobs: 5 }, 'logprobs'],
    [{ top_logprobs: -1 }, 'top_logprobs'],
    [{ top_logprobs: 21 }, 'top_logprobs'],
  ];
  for (const [changes, param] of cases) {
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
  }
});

test('reads whether a search is asked for, as at BlockRun: what it finds is no text of the body', () => {
  expect(parse({ search: true })).toMatchObject({ search: 'search', textOnly: false });
  expect(parse({ search_parameters: { max_search_results: 5 } })).toMatchObject({ search: 'search_parameters' });
  for (const none of [
    { search: false },
    { search: null, search_parameters: null },
    { search_parameters: { mode: 'off' } },
  ])
    expect(parse(none)).not.toHaveProperty('search');
  for (const [changes, param] of [
    [{ search: 1 }, 'search'],
    [{ search_parameters: [] }, 'search_parameters'],
  ] as const)
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
});

test('a search finds no more than the price of a call covers', () => {
  const most = { search_parameters: { max_search_results: 20, sources: [{ type: 'web' }] } };
  expect(parse({ ...most, search: true })).toMatchObject({ search: 'search' });
  expect(parse(most)).toMatchObject({ search: 'search_parameters' });
  for (const [changes, code, param] of [
    [{ search_parameters: { max_search_results: 21 } }, 'invalid_request', 'search_parameters.max_search_results'],
    [
      { search: true, search_parameters: { mode: 'off', Max_search_results: 50 } },
      'unsupported_parameter',
      'search_parameters.Max_search_results',
    ],
    [{ search: true, n: 2 }, 'unsupported_parameter', 'n'],
  ] as const)
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code, param }));
});

test('refuses by name what tokens do not bound', () => {
  const cases: [object, string][] = [
    [{ web_search_options: {} }, 'web_search_options'],
    [{ prediction: { type: 'content', content: 'x' } }, 'prediction'],
    [{ models: ['dearer'] }, 'models'],
    [{ service_tier: 'priority' }, 'service_tier'],
    [{ modalities: ['text', 'image'] }, 'modalities'],
    [{ tools: [{ type: 'function' }, { type: 'web_search' }] }, 'tools[1].type'],
    [{ tools: [null] }, 'tools[0].type'],
    [{ max_output_tokens: 9 }, 'max_output_tokens'],
    // Servers that have a limit of their own obey it rather than the quote's.
    ...['max_gen_tokens', 'max_length', 'max_new_tokens', 'n_predict', 'num_predict'].map((name): [object, string] => [
      { [name]: 4_096, max_tokens: 1 },
      name,
    ]),
    [{ n_cmpl: 8, n: 1 }, 'n_cmpl'],
    ...['access_programs', 'chat_template', 'content_policy_fallbacks', 'context_window_fallbacks', 'data_sources'].map(
      (name): [object, string] => [{ [name]: 'x' }, name],
    ),
    ...['deferred', 'extra_body', 'fallbacks', 'num_retries', 'provider', 'route'].map((name): [object, string] => [
      { [name]: 1 },
      name,
    ]),
  ];
  for (const [changes, param] of cases) {
    expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'unsupported_parameter', param }));
  }
  expect(() => parse({ n_predict: 9 })).toThrow('Send "max_completion_tokens" instead.');
  expect(parse({ modalities: ['text', 'audio'] }).model).toBe('small');
  expect(parse({ service_tier: 'auto', tools: [{ type: 'function' }], prediction: null }).model).toBe('small');
});

describe('keys that a reader which ignores case takes for others', () => {
  test('are refused where the name is known', () => {
    const cases: [object, string][] = [
      [{ Model: 'dearer' }, 'Model'],
      [{ N: 64 }, 'N'],
      [{ MAX_COMPLETION_TOKENS: 9 }, 'MAX_COMPLETION_TOKENS'],
      [{ 'max_completion_to\u212aens': 9 }, 'max_completion_to\u212aens'],
      [{ 'me\u017fsages': messages }, 'me\u017fsages'],
      [{ Prediction: {} }, 'Prediction'],
      [{ Provider: {} }, 'Provider'],
      [{ Max_Output_Tokens: 9 }, 'Max_Output_Tokens'],
      [{ stream_options: { Include_usage: false } }, 'stream_options.Include_usage'],
      [{ messages: [{ role: 'user', Content: [] }] }, 'messages[0].Content'],
      [{ tools: [{ type: 'function', Type: 'web_search' }] }, 'tools[0].Type'],
      [
        { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', Type: 'file' }] }] },
        'messages[0].content[0].Type',
      ],
    ];
    for (const [changes, param] of cases) {
      expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
    }
    // Written with an escape it is the same key.
    const escaped = Buffer.from('{"model":"small","messages":[{}],"\\u006dodel\\u0020":1,"\\u004dodel":"x"}');
    expect(() => parseChatRequest(escaped)).toThrowError(expect.objectContaining({ param: 'Model' }));
  });

  test('are refused where two are alike, whatever their name', () => {
    for (const [changes, param] of [
      [{ vendor: 1, Vendor: 2 }, 'Vendor'],
      [{ 'as\u212a': 1, ask: 2 }, 'ask'],
      [{ stream_options: { a: 1, A: 2 } }, 'stream_options.A'],
    ] as const) {
      expect(() => parse(changes)).toThrowError(expect.objectContaining({ code: 'duplicate_key', param }));
    }
    const twice = Buffer.from(
      '{"model":"m","messages":[{}],"stream_options":{"include_usage":false,"include_usage":true}}',
    );
    expect(() => parseChatRequest(twice)).toThrowError(expect.objectContaining({ code: 'duplicate_key' }));
  });

  test('pass where they are nobody’s', () => {
    expect(parse({ vendorOption: 1, Straße: 2 }).model).toBe('small');
  });
});

test('what would take the parser long is refused before it is parsed', () => {
  const nested = (levels: number) => `{"model":"m","messages":[{}],"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  const crowded = (objects: number) =>
    `{"model":"m","messages":[{}],"a":[${Array.from({ length: objects }, () => '{}').join()}]}`;
  const wide = (keys: number) =>
    `{"model":"m","messages":[{}],${Array.from({ length: keys }, (_, i) => `"k${i}":0`).join()}}`;
  for (const body of [nested(128), wide(999), crowded(65_535), `{"a":${'['.repeat(1_000_000)}`]) {
    expect(() => parseChatRequest(Buffer.from(body))).toThrowError(
      expect.objectContaining({ code: 'invalid_request', param: null }),
    );
  }
  for (const body of [nested(127), wide(998), crowded(65_532)])
    expect(parseChatRequest(Buffer.from(body)).model).toBe('m');
  // Brackets and commas within strings are text.
  const text = `\\"${'[,'.repeat(2_000)}`;
  expect(parse({ messages: [{ role: 'user', content: text }] }).textOnly).toBe(true);
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
    [[{ type: 'file', file: { file_data: 'data:application/pdf;base64,AA==' } }], false],
    [['Hi'], false],
    [{}, false],
  ];
  test.each(cases)('%j → %s', (content, expected) => {
    expect(parse({ messages: [...messages, { role: 'user', content }] }).textOnly).toBe(expected);
  });

  test.each(['file_id', 'File_ID'])('a file at the provider is refused by name: %s', (member) => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'file', file: { [member]: 'x' } },
    ];
    const error = { code: 'unsupported_parameter', param: `messages[0].content[1].file.${member}` };
    expect(() => parse({ messages: [{ role: 'user', content }] })).toThrowError(expect.objectContaining(error));
  });

  test('earlier audio is referred to by its id', () => {
    expect(parse({ messages: [{ role: 'assistant', content: null, audio: { id: 'a' } }] }).textOnly).toBe(false);
  });
});
