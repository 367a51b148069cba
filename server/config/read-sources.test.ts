import { describe, expect, test } from 'vitest';
import { readSources } from './read-sources.ts';

type Files = Readonly<Record<string, string>>;

/** Reads an autopay.yaml that stands in memory, and the files that it imports. */
function read(files: Files, own = '', env: Readonly<Record<string, string>> = {}) {
  const readText = (file: string) => files[file] ?? '';
  return readSources(own, 'autopay.yaml', { env, imports: Object.keys(files), readText });
}

const entry = (name: string, params: string) =>
  `model_list: [{ model_name: ${name}, litellm_params: { ${params} } }]\n`;

interface Endpoint {
  name: string;
  baseUrl?: string;
  apiKeyEnv?: string;
  regions?: Record<string, { baseUrl?: string; apiKeyEnv?: string }>;
}

const providersOf = ({ value }: ReturnType<typeof read>) => value['providers'] as Endpoint[];
const deploymentsOf = ({ value }: ReturnType<typeof read>) =>
  (value['routes'] as { deployments: { provider: string; region?: string }[] }[]).flatMap(({ deployments }) =>
    deployments.map(({ provider, region = 'default' }) => `${provider}@${region}`),
  );

/** The key that a provider is sent, as the relay looks it up. */
function keyOf(sources: ReturnType<typeof read>, name: string, env: Readonly<Record<string, string>> = {}) {
  const [provider = '', region = ''] = name.split('@');
  const found = providersOf(sources).find((one) => one.name === provider);
  const apiKeyEnv = (region === '' ? undefined : found?.regions?.[region]?.apiKeyEnv) ?? found?.apiKeyEnv;
  return apiKeyEnv === undefined ? undefined : { ...env, ...sources.secrets }[apiKeyEnv];
}

describe('keys of several files', () => {
  test('in clear reach each its own provider', () => {
    const a = entry('a', 'model: openai/m, api_base: "http://a.test/v1", api_key: key-a');
    const b = entry('b', 'model: openai/m, api_base: "http://b.test/v1", api_key: key-b');
    const sources = read({ 'a.yaml': a, 'b.yaml': b });
    expect([keyOf(sources, 'a.test'), keyOf(sources, 'b.test')]).toEqual(['key-a', 'key-b']);
  });

  test('under environment_variables hold for their file only', () => {
    const a = `${entry('a', 'model: groq/m, api_key: os.environ/K')}environment_variables: { K: key-a }`;
    const b = entry('b', 'model: deepinfra/m, api_key: os.environ/K');
    const own = 'providers: [{ name: own, baseUrl: "http://own.test/v1", apiKeyEnv: K }]';
    const env = { K: 'real' };
    const sources = read({ 'a.yaml': a, 'b.yaml': b }, own, env);
    const keys = ['groq', 'deepinfra', 'own'].map((name) => keyOf(sources, name, env));
    expect(keys).toEqual(['key-a', 'real', 'real']);
  });

  test('under environment_variables are also what a provider’s own variable says there', () => {
    const text = `${entry('a', 'model: groq/m')}environment_variables: { GROQ_API_KEY: key-a }`;
    expect(keyOf(read({ 'a.yaml': text }), 'groq')).toBe('key-a');
  });

  test('that are references of references are the variable that is meant', () => {
    const variables = 'environment_variables: { A: os.environ/REAL, B: os.environ/A }';
    const text = `${entry('a', 'model: groq/m, api_key: os.environ/B')}${variables}`;
    const sources = read({ 'a.yaml': text }, '', { REAL: 'real' });
    expect(providersOf(sources)).toMatchObject([{ name: 'groq', apiKeyEnv: 'REAL' }]);
    expect(sources.secrets).toEqual({});
  });

  test('go only to who is named with them: an entry without one has its provider’s', () => {
    const first = entry('a', 'model: groq/m, api_key: os.environ/OTHER, api_base: "https://elsewhere.test/v1"');
    const sources = read({ 'a.yaml': first, 'b.yaml': entry('b', 'model: groq/m') });
    expect(deploymentsOf(sources)).toEqual(['groq@default', 'groq@2']);
    expect(providersOf(sources)[0]?.regions).toEqual({
      2: { baseUrl: 'https://api.groq.com/openai/v1', apiKeyEnv: 'GROQ_API_KEY' },
    });
  });
});

describe('endpoints of one provider', () => {
  const azure = (name: string, key: string) =>
    entry(name, `model: azure/m, api_base: "https://${name}.test/v1", api_key: os.environ/${key}`);

  test('in two files are two regions', () => {
    const sources = read({ 'a.yaml': azure('a', 'A'), 'b.yaml': azure('b', 'B'), 'c.yaml': azure('a', 'A') });
    expect(deploymentsOf(sources)).toEqual(['azure@default', 'azure@2', 'azure@default']);
    expect(providersOf(sources)).toEqual([
      {
        ...{ name: 'azure', baseUrl: 'https://a.test/v1', apiKeyEnv: 'A' },
        regions: { 2: { baseUrl: 'https://b.test/v1', apiKeyEnv: 'B' } },
      },
    ]);
  });

  test('of the blueprint are not another file’s', () => {
    const blueprint = 'routes: [{ route: r, model: m, providers: [groq] }]';
    const other = entry('a', 'model: groq/m, api_key: os.environ/OTHER');
    const { faults } = read({ 'a.yaml': other, 'b.yaml': blueprint });
    expect(faults).toEqual([expect.stringMatching(/^b\.yaml:1:\d+: routes\.0\.providers\.0 .*providers\.groq/)]);
    const usual = entry('a', 'model: groq/m, api_key: os.environ/GROQ_API_KEY');
    expect(read({ 'a.yaml': usual, 'b.yaml': blueprint }).faults).toEqual([]);
  });

  test('that autopay.yaml says otherwise are autopay.yaml’s, with a warning, by key and by address', () => {
    const own = 'providers: [{ name: groq, baseUrl: "http://own.test/v1", apiKeyEnv: OWN }]';
    const otherKey = entry('a', 'model: groq/m, api_key: os.environ/OTHER');
    const otherBase = entry('b', 'model: groq/m, api_base: "http://other.test/v1"');
    const { faults, notices } = read(
      { 'a.yaml': otherKey, 'b.yaml': otherBase, 'c.yaml': entry('c', 'model: groq/m') },
      own,
    );
    expect(faults).toEqual([]);
    expect(notices.filter((notice) => notice.includes('say it in'))).toEqual([
      expect.stringMatching(
        /^a\.yaml:1:\d+: model_list\.0\.litellm_params\.api_key .*say it in providers\.groq\.regions/,
      ),
      expect.stringMatching(
        /^b\.yaml:1:\d+: model_list\.0\.litellm_params\.api_base .*say it in providers\.groq\.regions/,
      ),
    ]);
  });

  test('are autopay.yaml’s regions where those say the same', () => {
    const own = `providers: [{ name: azure, baseUrl: "https://a.test/v1", apiKeyEnv: A,
      regions: { eu: { baseUrl: "https://b.test/v1", apiKeyEnv: B } } }]`;
    const sources = read({ 'a.yaml': azure('a', 'A'), 'b.yaml': azure('b', 'B') }, own);
    expect(sources.faults).toEqual([]);
    expect(deploymentsOf(sources)).toEqual(['azure@default', 'azure@eu']);
    expect(providersOf(sources)).toHaveLength(1);
  });

  test('that autopay.yaml’s routes take from the catalogue stay the catalogue’s', () => {
    const own = 'routes: [{ model: own, deployments: [{ provider: groq, model: m }] }]';
    const sources = read({ 'a.yaml': entry('a', 'model: groq/m, api_key: os.environ/OTHER') }, own);
    expect(deploymentsOf(sources)).toEqual(['groq@default', 'groq@2']);
    expect(providersOf(sources)).toMatchObject([{ name: 'groq', regions: { 2: { apiKeyEnv: 'OTHER' } } }]);
    expect(providersOf(sources)[0]).not.toHaveProperty('apiKeyEnv');
  });

  test('have a label of their own, also where an id says another’s', () => {
    const one = (name: string, base: string) =>
      `{ model_name: ${name}, litellm_params: { model: azure/m, api_base: "https://${base}.test/v1" }, model_info: { id: eu } }`;
    const sources = read({ 'a.yaml': `model_list: [${one('a', 'a')}, ${one('b', 'b')}]` });
    expect(deploymentsOf(sources)).toEqual(['azure@eu', 'azure@2']);
    const again = read({ 'a.yaml': `model_list: [${one('a', 'a')}]`, 'b.yaml': `model_list: [${one('b', 'b')}]` });
    expect(deploymentsOf(again)).toEqual(['azure@eu', 'azure@2']);
  });
});
