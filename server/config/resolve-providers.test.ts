import { expect, test } from 'vitest';
import { configFileSchema } from './config-schema.ts';
import type { ConfigIssue } from './report-issues.ts';
import { describeDeployment, noticeStrangeKeys, resolveProviders } from './resolve-providers.ts';

function resolve(providers: object[], uses: string[] = [], env: Record<string, string> = {}) {
  const issues: ConfigIssue[] = [];
  const deployments = uses.map((id) => {
    const [provider, region] = id.split('@');
    return { provider, model: 'm', ...(region && { region }) };
  });
  const routes = deployments.map((deployment, at) => ({ model: `r${at}`, free: true, deployments: [deployment] }));
  const file = configFileSchema.parse({ providers, routes });
  return { resolved: resolveProviders(file, env, issues), issues };
}

test('the catalogue gives endpoint and key of a name that it has, listed or not', () => {
  const groq = { name: 'groq', baseUrl: 'https://api.groq.com/openai/v1', apiKeyEnv: 'GROQ_API_KEY' };
  expect(resolve([{ name: 'groq' }]).resolved).toEqual([groq]);
  expect(resolve([], ['groq', 'groq@b']).resolved).toEqual([groq]);
});

test('a key goes to no endpoint but its own', () => {
  const local = 'http://127.0.0.1:1/v1';
  expect(resolve([{ name: 'groq', baseUrl: local }]).resolved).toEqual([{ name: 'groq', baseUrl: local }]);
  expect(resolve([{ name: 'groq', apiKeyEnv: 'MINE' }]).resolved[0]?.apiKeyEnv).toBe('MINE');
  const regions = { a: { baseUrl: local }, b: { apiKeyEnv: 'B' } };
  expect(resolve([{ name: 'groq', regions }]).resolved.slice(1)).toEqual(
    [
      { name: 'groq@a', baseUrl: local, apiKeyEnv: undefined },
      { name: 'groq@b', baseUrl: 'https://api.groq.com/openai/v1', apiKeyEnv: 'B' },
    ].map(({ apiKeyEnv, ...rest }) => ({ ...rest, ...(apiKeyEnv !== undefined && { apiKeyEnv }) })),
  );
});

test('an environment variable moves the endpoints of those that have one', () => {
  const { resolved } = resolve([{ name: 'verathos' }], [], { VERATHOS_API_BASE: 'http://localhost:8080/v1/' });
  expect(resolved[0]).toEqual({ name: 'verathos', baseUrl: 'http://localhost:8080/v1', apiKeyEnv: 'VERATHOS_API_KEY' });
});

test('what has no endpoint is a fault, unless its regions have one each', () => {
  expect(resolve([{ name: 'azure' }]).issues).toEqual([
    { path: ['providers', 0], message: expect.stringContaining('needs a baseUrl: baseUrl is https://<resource>') },
  ]);
  expect(resolve([{ name: 'nobody' }]).issues[0]?.message).toContain('the catalogue does not have this provider');
  const regions = { eu: { baseUrl: 'https://eu.example.org/v1' } };
  expect(resolve([{ name: 'azure', regions }], ['azure@eu']).issues).toEqual([]);
  expect(resolve([{ name: 'azure', regions }], ['azure@eu', 'azure']).issues).toHaveLength(1);
});

test('a key that looks like another provider’s is told of, without the key', () => {
  const providers = [{ name: 'verathos', baseUrl: 'https://api.verathos.ai/v1', apiKeyEnv: 'VERATHOS_API_KEY' }];
  expect(noticeStrangeKeys(providers, { VERATHOS_API_KEY: 'sk-secret' })).toEqual([
    'VERATHOS_API_KEY does not begin with vrt_sk_, as keys of verathos do',
  ]);
  expect(noticeStrangeKeys(providers, { VERATHOS_API_KEY: ' vrt_sk_1' })).toEqual([]);
  expect(noticeStrangeKeys(providers, {})).toEqual([]);
});

test('a provider’s own name of a model is what is sent', () => {
  const { providers } = configFileSchema.parse({ providers: [{ name: 'groq', models: { a: 'b' } }] });
  expect(describeDeployment({ providers }, { provider: 'groq', model: 'a' }).model).toBe('b');
  expect(describeDeployment({ providers }, { provider: 'groq', model: 'c' }).model).toBe('c');
  expect(describeDeployment({ providers }, { provider: 'nobody', model: 'c' })).toEqual({ model: 'c' });
});

test('how a provider is spoken to goes by what it speaks, not by what it is called', () => {
  const listed = [
    { name: 'claude-eu', baseUrl: 'https://api.anthropic.com/v1' },
    { name: 'proxy', baseUrl: 'https://proxy.example.org/v1', dialect: 'anthropic' },
    { name: 'other', baseUrl: 'https://other.example.org/v1' },
    { name: 'anthropic', baseUrl: 'https://openai-like.example.org/v1', dialect: 'openai' },
  ];
  const { providers } = configFileSchema.parse({ providers: listed });
  const native = listed.filter(
    ({ name }) => describeDeployment({ providers }, { provider: name, model: 'm' }).quirks?.anthropicMessages,
  );
  expect(native.map(({ name }) => name)).toEqual(['claude-eu', 'proxy']);
  expect(() => configFileSchema.parse({ providers: [{ name: 'x', dialect: 'nobody' }] })).toThrow(
    'no name of the catalogue',
  );
});
