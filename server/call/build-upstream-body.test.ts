import { expect, test } from 'vitest';
import { buildUpstreamBody } from './build-upstream-body.ts';
import { makeRoute } from './call-fixtures.ts';
import { parseChatRequest } from './parse-chat-request.ts';

const deployment = { id: 'a@b', provider: 'a', model: 'upstream' };

function build(text: string, outputTokens: number, parameter?: 'max_tokens'): string {
  const body = Buffer.from(text);
  const route = makeRoute(parameter && { outputLimitParameter: parameter });
  return buildUpstreamBody({ body, asked: parseChatRequest(body), route, deployment, outputTokens }).toString('utf8');
}

test('a body that fits goes upstream as it came', () => {
  const text = '{ "model": "upstream", "messages": [{}], "max_completion_tokens": 5, "x": 1.00 }';
  expect(build(text, 5)).toBe(text);
  const stream = `${text.slice(0, -1)},"stream":true,"stream_options":{"include_usage":true}}`;
  expect(build(stream, 5)).toBe(stream);
});

test('the model’s name becomes the deployment’s', () => {
  expect(build('{"messages":[{}],"model":"small","max_completion_tokens":5}', 5)).toBe(
    '{"messages":[{}],"model":"upstream","max_completion_tokens":5}',
  );
});

test('the output limit is always sent, capped, and under the name that the deployment takes', () => {
  expect(build('{"model":"upstream","messages":[{}]}', 9)).toBe(
    '{"model":"upstream","messages":[{}],"max_completion_tokens":9}',
  );
  expect(build('{"model":"upstream","max_completion_tokens":99,"messages":[{}]}', 9)).toBe(
    '{"model":"upstream","max_completion_tokens":9,"messages":[{}]}',
  );
  expect(build('{"model":"upstream","messages":[{}],"max_tokens":9}', 9)).toBe(
    '{"model":"upstream","messages":[{}],"max_completion_tokens":9}',
  );
  expect(build('{"model":"upstream","messages":[{}],"max_completion_tokens":9}', 9, 'max_tokens')).toBe(
    '{"model":"upstream","messages":[{}],"max_tokens":9}',
  );
  expect(build('{"model":"upstream","messages":[{}],"max_completion_tokens":null,"max_tokens":9}', 9)).toBe(
    '{"model":"upstream","messages":[{}],"max_completion_tokens":9}',
  );
});

test('tags are for the relay: OpenAI’s metadata takes texts only', () => {
  const head = '{"model":"upstream","messages":[{}],"max_completion_tokens":5';
  expect(build(`${head},"tags":["a"]}`, 5)).toBe(`${head}}`);
  expect(build(`${head},"metadata":{"tags":["a"]}}`, 5)).toBe(`${head}}`);
  expect(build(`${head},"metadata":{"tags":["a"],"b":"c"}}`, 5)).toBe(`${head},"metadata":{"b":"c"}}`);
  const others = `${head},"tags":"a","metadata":{"tags":"a"}}`;
  expect(build(others, 5)).toBe(others);
});

test('a search goes on where one is asked for', () => {
  const head = '{"model":"upstream","messages":[{}],"max_completion_tokens":5';
  const asked = `${head},"search":true,"search_parameters":{"max_search_results":3}}`;
  expect(build(asked, 5)).toBe(asked);
  expect(build(`${head},"search":false,"search_parameters":{"mode":"off","Mode":"on"}}`, 5)).toBe(`${head}}`);
});

test('what the deployment says for requests goes there where they do not say it', () => {
  const defaults = { temperature: 0.2, reasoning_effort: 'high', stop: ['x'] };
  const to = (text: string) => {
    const body = Buffer.from(text);
    const asked = parseChatRequest(body);
    const options = { body, asked, route: makeRoute(), deployment: { ...deployment, defaults }, outputTokens: 5 };
    return buildUpstreamBody(options).toString('utf8');
  };
  const head = '{"model":"upstream","messages":[{}],"max_completion_tokens":5';
  expect(to(`${head}}`)).toBe(`${head},"temperature":0.2,"stop":["x"],"reasoning_effort":"high"}`);
  expect(to(`${head},"temperature":0,"stop":null}`)).toBe(
    `${head},"temperature":0,"stop":["x"],"reasoning_effort":"high"}`,
  );
  // Providers refuse both.
  const own = `${head},"temperature":0,"stop":["y"],"reasoning":{"effort":"low"}}`;
  expect(to(own)).toBe(own);
});

test('how tools are called is said with tools only: providers refuse it without', () => {
  const to = (text: string) => {
    const body = Buffer.from(text);
    const its = { ...deployment, defaults: { parallel_tool_calls: false } };
    const options = { body, asked: parseChatRequest(body), route: makeRoute(), deployment: its, outputTokens: 5 };
    return buildUpstreamBody(options).toString('utf8');
  };
  const head = '{"model":"upstream","messages":[{}],"max_completion_tokens":5';
  expect(to(`${head}}`)).toBe(`${head}}`);
  const tools = '"tools":[{"type":"function"}]';
  expect(to(`${head},${tools}}`)).toBe(`${head},${tools},"parallel_tool_calls":false}`);
});

test('a stream is asked for its usage; other stream options stay', () => {
  const head = '{"model":"upstream","messages":[{}],"max_completion_tokens":5,"stream":true';
  expect(build(`${head}}`, 5)).toBe(`${head},"stream_options":{"include_usage":true}}`);
  expect(build(`${head},"stream_options":{"include_obfuscation":false,"include_usage":false}}`, 5)).toBe(
    `${head},"stream_options":{"include_obfuscation":false,"include_usage":true}}`,
  );
  expect(build(`${head},"stream_options":null}`, 5)).toBe(`${head},"stream_options":{"include_usage":true}}`);
});

test('a provider’s own way of the limit is taken where the route says nothing', () => {
  const text = '{"model":"upstream","messages":[{}],"max_completion_tokens":9}';
  const body = Buffer.from(text);
  const quirks = {
    outputLimitParameter: 'max_tokens',
    takesStreamOptions: true,
    reasoningBeside: false,
    errorMember: 'error',
  } as const;
  const build = (outputLimitParameter: 'max_completion_tokens' | null) =>
    buildUpstreamBody({
      ...{ body, asked: parseChatRequest(body), outputTokens: 9 },
      ...{ route: { outputLimitParameter }, deployment: { ...deployment, quirks } },
    }).toString('utf8');
  expect(build(null)).toBe('{"model":"upstream","messages":[{}],"max_tokens":9}');
  expect(build('max_completion_tokens')).toBe(text);
});

test('a provider that refuses stream options gets none, whoever asked for them', () => {
  const quirks = {
    outputLimitParameter: 'max_tokens',
    takesStreamOptions: false,
    reasoningBeside: false,
    errorMember: 'message',
  } as const;
  const head = '{"model":"upstream","messages":[{}],"max_tokens":5,"stream":true';
  for (const text of [`${head}}`, `${head},"stream_options":{"include_usage":true}}`]) {
    const body = Buffer.from(text);
    const built = buildUpstreamBody({
      ...{ body, asked: parseChatRequest(body), outputTokens: 5 },
      ...{ route: { outputLimitParameter: null }, deployment: { ...deployment, quirks } },
    });
    expect(built.toString('utf8')).toBe(`${head}}`);
  }
});
