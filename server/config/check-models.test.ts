import { expect, test, vi } from 'vitest';
import { checkModels } from './check-models.ts';
import type { RelayConfig } from './relay-config.ts';

const config = {
  providers: [
    { name: 'groq', baseUrl: 'https://groq.test/v1', apiKeyEnv: 'GROQ_API_KEY' },
    { name: 'azure', baseUrl: 'https://a.test/v1' },
    { name: 'azure@b', baseUrl: 'https://b.test/v1' },
    { name: 'idle', baseUrl: 'https://idle.test/v1' },
  ],
  routes: [
    { model: 'r', deployments: [{ id: 'groq@default', provider: 'groq', model: 'x' }] },
    {
      model: 's',
      deployments: [
        { id: 'azure@default', provider: 'azure', model: 'y' },
        { id: 'azure@b', provider: 'azure', model: 'z' },
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
      provider: 'azure',
      baseUrl: 'https://a.test/v1',
      missing: [{ model: 'y', route: 's', deployment: 'azure@default' }],
      unknown: null,
    },
    { provider: 'azure@b', baseUrl: 'https://b.test/v1', missing: [], unknown: null },
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
