import { describe, expect, test } from 'vitest';
import { boundCall } from '../../metering/quote-call.ts';
import { makeCallDeps, makeRequest, makeRoute } from '../call-fixtures.ts';
import { prepareCall } from '../prepare-call.ts';
import { completions } from './completions.ts';

const parse = (body: object) => completions.parse(Buffer.from(JSON.stringify({ model: 'small', ...body })));

describe('what bounds a completion', () => {
  test('without a limit it has OpenAI’s 16 tokens, which the provider is told', () => {
    const asked = parse({ prompt: 'Once' });
    expect(asked).toMatchObject({ outputLimit: { tokens: 16 }, choices: 1, inputs: 1, textOnly: true });
    const deployment = { id: 'p@x', provider: 'p', model: 'theirs' };
    const route = { outputLimitParameter: null };
    const body = Buffer.from('{ "model":"small", "prompt":"Once" }');
    const sent = completions.buildBody({ body, asked: completions.parse(body), route, deployment, outputTokens: 16 });
    expect(sent.toString('utf8')).toBe('{"model":"theirs","prompt":"Once","max_tokens":16}');
  });

  test.each<[string, unknown, number, number]>([
    ['a text', 'Once', 1, 0],
    ['texts', ['Once', 'Twice'], 2, 0],
    ['tokens', [1, 2, 3], 1, 3],
    ['lists of tokens', [[1, 2], [3]], 2, 3],
  ])('%s', (_, prompt, inputs, tokens) => {
    const asked = parse({ prompt, n: 3 });
    expect(asked).toMatchObject({ inputs, choices: 3 * inputs });
    expect(asked.prompt.tokens ?? 0).toBe(tokens);
  });

  test('each prompt may fill the context', () => {
    const deps = makeCallDeps({
      router: { run: () => Promise.reject(new Error('unused')) },
      route: makeRoute({ contextTokens: 100 }),
    });
    const bound = (prompt: unknown) => {
      const request = makeRequest({ model: 'small', prompt }, {}, { path: '/v1/completions' });
      return boundCall(prepareCall(deps, request).options[0].quoteInput).promptTokens;
    };
    const long = 'x'.repeat(500);
    expect(bound(long)).toBe(100);
    expect(bound([long, long, long])).toBe(300);
  });
});

test.each<[string, object, string]>([
  ['no prompt', {}, 'prompt'],
  ['no list of one kind', { prompt: ['a', 1] }, 'prompt'],
  ['no token', { prompt: [1, -1] }, 'prompt'],
  ['too many answers', { prompt: Array(100).fill('a'), n: 2 }, 'n'],
  ['the prompt again', { prompt: 'a', echo: true }, 'echo'],
  ['hidden answers', { prompt: 'a', best_of: 3 }, 'best_of'],
  ['a misspelt limit', { prompt: 'a', Max_Tokens: 9 }, 'Max_Tokens'],
  ['too many log probabilities', { prompt: 'a', logprobs: 21 }, 'logprobs'],
])('%s is refused by name', (_, body, param) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ param }) as Error);
});
