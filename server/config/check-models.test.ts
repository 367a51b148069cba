import { expect, test, vi } from 'vitest';
import { checkModels } from './check-models.ts';
import type { RelayConfig } from './relay-config.ts';

const config = {
  providers: [
    { name: 'groq', baseUrl: 'https://groq.test/v1', apiKeyEnv: 'GROQ_API_KEY' },
    { name: 'together', baseUrl: 'https://a.test/v1' },
    { name: 'together@b', baseUrl: 'https://b.test/v1' },
    { name: 'idle', baseUrl: 'https://idle.test/v1' },
  ],
  routes: [
    { model: 'r', deployments: [{ id: 'groq@default', provider: 'groq', model: 'x' }] },
    {
      model: 's',
      deployments: [
        { id: 'together@default', provider: 'together', model: 'y' },
        { id: 'together@b', provider: 'together', model: 'z' },
      ],
    },
  ],
  secrets: {},
} as unknown as RelayConfig;

const list = (...ids: string[]) => Response.json({ object: 'list', data: ids.map((id) => ({ id })) });

test('names the models that a provider does not have, region by region, and asks only those that are used', async () => {
  const ask = vi.fn<typeof fetch>((url) => {
    const { host } = new URL(url instanceof Request ? url.url : url);
    return Promise.resolve(
      host === 'groq.test' ? list('x') : host === 'a.test' ? list('z') : Response.json([{ id: 'z' }]),
    );
  });
  const checks = await checkModels(config, { env: { GROQ_API_KEY: 'k' }, fetch: ask });
  expect(checks).toEqual([
    { provider: 'groq', baseUrl: 'https://groq.test/v1', missing: [], unknown: null },
    {
      provider: 'together',
      baseUrl: 'https://a.test/v1',
      missing: [{ model: 'y', route: 's', deployment: 'together@default' }],
      unknown: null,
    },
    { provider: 'together@b', baseUrl: 'https://b.test/v1', missing: [], unknown: null },
  ]);
  expect(ask).toHaveBeenCalledTimes(3);
  expect(ask.mock.calls[0]?.[1]?.headers).toMatchObject({ authorization: 'Bearer k' });
});

test.each([
  ['a key that is not set', {}, () => Promise.resolve(list()), 'GROQ_API_KEY is not set'],
  ['a refusal', { GROQ_API_KEY: 'k' }, () => Promise.resolve(new Response('', { status: 401 })), 'it answers 401'],
  ['no connection', { GROQ_API_KEY: 'k' }, () => Promise.reject(new TypeError('fetch failed')), 'it cannot be reached'],
  ['another list', { GROQ_API_KEY: 'k' }, () => Promise.resolve(Response.json({})), 'is not OpenAI’s'],
])('says why nothing can be said: %s', async (_, env, answer, reason) => {
  const [groq] = await checkModels(config, { env, fetch: vi.fn<typeof fetch>(answer) });
  expect(groq?.missing).toEqual([]);
  expect(groq?.unknown).toContain(reason);
});

/** What a provider that lists `ids` lacks of the models. */
async function lackingOf(provider: string, ids: readonly string[], models: readonly string[], quirks?: object) {
  const deployments = models.map((model) => ({ id: `${provider}@default`, provider, model, quirks }));
  const ask = vi.fn<typeof fetch>(() => Promise.resolve(list(...ids)));
  const [check] = await checkModels(
    {
      providers: [{ name: provider, baseUrl: 'https://x.test/v1', apiKeyEnv: 'KEY' }],
      routes: [{ model: 'r', deployments }],
      secrets: {},
    } as unknown as RelayConfig,
    { env: { KEY: 'k' }, fetch: ask },
  );
  return { ask, unknown: check?.unknown, missing: check?.missing.map(({ model }) => model) };
}

test.each([
  ['ollama', ['llama3:latest', 'qwen:7b'], ['llama3', 'qwen:7b', 'qwen'], ['qwen']],
  ['gemini', ['models/gemini-2.5-flash'], ['gemini-2.5-flash', 'gemini-9'], ['gemini-9']],
  ['openrouter', ['a/b', 'a/c:free'], ['a/b:nitro', 'a/c:free', 'a/b:free'], ['a/b:free']],
  ['verathos', ['Qwen/Qwen3'], ['auto', 'Qwen/Qwen3'], []],
])('knows the models of %s by the names that calls take', async (provider, ids, models, missing) => {
  expect(await lackingOf(provider, ids, models)).toMatchObject({ missing });
});

test('asks Anthropic as Anthropic wants it, for all of its models; its names may do without their date', async () => {
  const models = ['claude-sonnet-4-5', 'claude-3-5-haiku-latest', 'claude-opus', 'claude-sonnet-4'];
  const ids = ['claude-sonnet-4-5-20250929', 'claude-3-5-haiku-20241022', 'claude-opus-4-6'];
  const { ask, missing } = await lackingOf('anthropic', ids, models, { anthropicMessages: true });
  expect(missing).toEqual(['claude-opus', 'claude-sonnet-4']);
  const [url, init] = ask.mock.calls[0] ?? [];
  expect(url).toBe('https://x.test/v1/models?limit=1000');
  expect(init?.headers).toEqual({ accept: 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': 'k' });
});

test('does not judge deployments of Azure by its list of models', async () => {
  const { ask, missing, unknown } = await lackingOf('azure', ['gpt-4o'], ['gpt-4o-westeurope']);
  expect({ missing, unknown }).toEqual({ missing: [], unknown: 'its list has other names than calls take' });
  expect(ask).not.toHaveBeenCalled();
});
