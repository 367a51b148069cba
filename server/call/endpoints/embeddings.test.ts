import { expect, test } from 'vitest';
import { boundCall } from '../../metering/quote-call.ts';
import { makeCallDeps, makeRequest, makeRoute } from '../call-fixtures.ts';
import { prepareCall } from '../prepare-call.ts';
import { embeddings } from './embeddings.ts';

const parse = (body: object) => embeddings.parse(Buffer.from(JSON.stringify({ model: 'small', ...body })));

test('it has no output to be quoted, and its body goes on as it came', () => {
  const deps = makeCallDeps({ router: { run: () => Promise.reject(new Error('unused')) }, route: makeRoute() });
  const request = makeRequest({ model: 'small', input: ['a', 'b'] }, {}, { path: '/v1/embeddings' });
  const { asked, options } = prepareCall(deps, request);
  expect(boundCall(options[0].quoteInput)).toMatchObject({ outputTokens: 0, choices: 1 });
  const deployment = { id: 'p@x', provider: 'p', model: 'small' };
  const sent = embeddings.buildBody({ body: request.body, asked, route: makeRoute(), deployment, outputTokens: 0 });
  expect(sent).toBe(request.body);
});

test('usage is of the input alone', () => {
  const answer = { data: [], model: 'm', usage: { prompt_tokens: 7, total_tokens: 7 } };
  expect(embeddings.readAnswer(answer, undefined)).toMatchObject({ usage: { prompt: 7, completion: 0 }, model: 'm' });
  expect(embeddings.readAnswer({ data: [] }, undefined).usage).toBeNull();
  expect(() => embeddings.readAnswer({ object: 'list' }, undefined)).toThrow('no embeddings');
});

test.each<[string, object, string]>([
  ['no input', {}, 'input'],
  ['an object', { input: { text: 'a' } }, 'input'],
  ['an empty list', { input: [] }, 'input'],
  ['too many inputs', { input: Array(2_049).fill('a') }, 'input'],
  ['several answers', { input: 'a', n: 2 }, 'n'],
  ['an output limit', { input: 'a', max_tokens: 9 }, 'max_tokens'],
  ['a stream', { input: 'a', stream: true }, 'stream'],
])('%s is refused by name', (_, body, param) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ param }) as Error);
});
