import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { parseConfig } from '../load-config.ts';
import { detectKind } from './import-file.ts';

const samples = join(import.meta.dirname, '../../../docs/samples');
const contracts = [
  ...['auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry', 'paymentDesk', 'billingDisputes', 'agpt'],
  ...['governor', 'timelock', 'paymentChannels', 'autoPayLLM'],
].map((name) => `${name}: "0x${'3'.repeat(40)}"`);
const chain = `\nchain: { id: 31337, rpcUrl: http://127.0.0.1:1, deployedAtBlock: 1 }\ncontracts: { ${contracts.join(', ')} }\n`;

/** A sample's autopay.yaml, and what of it is said differently. */
function load(name: string, change = (text: string) => text, env: Record<string, string> = {}) {
  const text = change(readFileSync(join(samples, name), 'utf8'));
  return parseConfig(text + chain, join(samples, name), { env });
}

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AutoPayError) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

const litellm = (text: string, more = 'priceCurrency: USD') => {
  const tokens = `tokens: [{ symbol: USDC, address: "0x${'4'.repeat(40)}", decimals: 6${more.includes('USD') ? ', rate: "1"' : ''} }]`;
  return `${tokens}\n${more}${chain}\n# ---\n${text}`;
};

/** Loads a LiteLLM file that stands in memory. */
function loadLiteLlm(text: string, more?: string, env: Record<string, string> = {}) {
  const [own = '', foreign = ''] = litellm(text, more).split('\n# ---\n');
  return parseConfig(own, 'autopay.yaml', { env, imports: ['litellm.yaml'], readText: () => foreign });
}

const entry = (params: string, info = 'input_cost_per_token: 0.000001, output_cost_per_token: 0.000002') =>
  `model_list: [{ model_name: m, litellm_params: { ${params} }, model_info: { ${info} } }]`;

const listed = (name: string, model: string) =>
  `{ model_name: ${name}, litellm_params: { model: ${model} }, model_info: { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 } }`;

test('a file’s kind is told by its keys', () => {
  expect(detectKind({ model_list: [] })).toBe('litellm');
  expect(detectKind({ routes: [{ route: 'a' }] })).toBe('blueprint');
  expect(detectKind({ agentgpt: {} })).toBe('blueprint');
  expect(detectKind({ routes: [{ model: 'a' }] })).toBe('autopay');
  expect(detectKind(null)).toBe('autopay');
});

describe('the blueprint’s litellm-router.yaml', () => {
  test('gives routes, ceilings and deployments, the fallback last', () => {
    const { routes, providers } = load('autopay-router.yaml');
    expect(routes.map(({ model }) => model)).toEqual(['mission_critical', 'cost_optimized']);
    expect(routes[0]?.deployments.map(({ id, model }) => [id, model])).toEqual([
      ['openai@az-westus', 'gpt-4-turbo'],
      ['anyscale@europe', 'gpt-4-turbo'],
      ['together@fallback', 'openai/gpt-oss-120b'],
    ]);
    expect(routes[1]?.deployments.map(({ id }) => id)).toEqual(['groq@L40S', 'fireworks@default', 'deepinfra@default']);
    expect(routes[1]?.deployments[1]?.quirks).toMatchObject({ outputLimitParameter: 'max_tokens' });
    expect(routes[1]?.prices).toMatchObject([{ prompt: 4n * 10n ** 18n, completion: 85n * 10n ** 17n }]);
    expect(providers.find(({ name }) => name === 'groq')).toEqual({
      name: 'groq',
      baseUrl: 'https://api.groq.com/openai/v1',
      apiKeyEnv: 'GROQ_API_KEY',
    });
  });

  test('is said by name what it cannot do', () => {
    expect(load('autopay-router.yaml').notices.join('\n')).toMatch(
      /litellm-router\.yaml:\d+:5: agentgpt\.blockchain\.dispute_window has no effect here: /,
    );
  });

  test('moves a fallback behind the others wherever it stands', () => {
    const foreign = 'routes: [{ route: r, model: m, providers: [groq@fallback, openai] }]';
    const [own = ''] = litellm('', 'prices: { r: { free: true } }').split('\n# ---\n');
    const { routes } = parseConfig(own, 'x.yaml', { env: {}, imports: ['b.yaml'], readText: () => foreign });
    expect(routes[0]?.deployments.map(({ id }) => id)).toEqual(['openai@default', 'groq@fallback']);
  });

  test('needs prices, and says where', () => {
    const fault = faultOf(() =>
      load('autopay-router.yaml', (text) => text.replace('  cost_optimized:', '  cost_optimised:')),
    );
    expect(fault).toContain('litellm-router.yaml:11:5: routes.1 needs a price (as price, or as prices.cost_optimized)');
    expect(fault).toContain('prices.cost_optimised is no route; did you mean "cost_optimized"?');
  });

  test('needs its payment token among the tokens', () => {
    const fault = faultOf(() => load('autopay-router.yaml', (text) => text.replace('symbol: AGPT', 'symbol: XYZ')));
    expect(fault).toMatch(
      /litellm-router\.yaml:21:5: agentgpt\.blockchain\.payment_token is AGPT, which is not one of tokens/,
    );
  });

  test('is refused for providers that nobody knows, and for keys', () => {
    const foreign = 'routes: [{ route: r, model: m, budgte: 1 AGPT/1k tokens, providers: [nobody@x] }]';
    const [own = ''] = litellm('', 'prices: { r: { free: true } }').split('\n# ---\n');
    const fault = faultOf(() => parseConfig(own, 'x.yaml', { env: {}, imports: ['b.yaml'], readText: () => foreign }));
    expect(fault).toContain('b.yaml:1:70: routes.0.providers.0 is no provider that is known; add nobody to providers');
    expect(fault).toContain('b.yaml:1:32: routes.0.budgte is not a known key; did you mean "budget"?');
  });
});

describe('LiteLLM’s config.yaml', () => {
  const env = { AZURE_API_KEY: 'a' };

  test('gives a route for each model_name, in dollars per million, with costs as they are written', () => {
    const { routes, limits } = load('autopay-litellm.yaml', undefined, env);
    expect(routes.map(({ model }) => model)).toEqual(['gpt-4o', 'llama-3.3-70b', 'local', 'gpt-4']);
    expect(routes[0]?.deployments.map(({ id, model }) => [id, model])).toEqual([
      ['azure@westeurope', 'gpt-4o-westeurope'],
      ['openai@default', 'gpt-4o'],
    ]);
    expect(routes[0]?.prices).toMatchObject([
      { prompt: 2_500_000n, completion: 10_000_000n, cachedPrompt: 2_500_000n },
    ]);
    expect(routes[0]).toMatchObject({ contextTokens: 128_000, maxOutputTokens: 16_384 });
    // Part by part the highest of the two.
    expect(routes[1]?.prices).toMatchObject([{ prompt: 880_000n, completion: 880_000n }]);
    expect(routes[2]?.prices).toBeNull();
    expect(routes[3]?.deployments).toEqual(routes[0]?.deployments);
    expect(limits).toMatchObject({ callTimeoutMs: 600_000, maxConcurrentCalls: 500 });
  });

  test('gives routing in the relay’s words', () => {
    const { routes, routing } = load('autopay-litellm.yaml', undefined, env);
    expect(routes[0]?.terms).toMatchObject({
      strategy: 'simple-shuffle',
      retries: 2,
      fallbacks: { general: ['llama-3.3-70b'] },
      timeouts: { attemptMs: 600_000 },
    });
    expect(routes[0]?.deployments.map(({ terms }) => [terms.order, terms.rpm])).toEqual([
      [1, 480],
      [2, 500],
    ]);
    expect(routes[1]?.deployments.map(({ terms }) => terms.weight)).toEqual([3_000, 1_000]);
    expect(routing.cooldown).toMatchObject({ allowedFails: 3, seconds: 30 });
  });

  test('takes tags only where they filter, and default fallbacks for those without their own', () => {
    const one = (name: string) => `{ model_name: ${name}, litellm_params: { model: gpt-4o, tags: [t] } }`;
    const text = `model_list: [${one('a')}, ${one('b')}]
litellm_settings: { default_fallbacks: [b], fallbacks: [] }`;
    const prices = 'prices: { a: { free: true }, b: { free: true } }';
    const { routes } = loadLiteLlm(text, prices);
    expect(routes.map(({ terms }) => terms.fallbacks.general)).toEqual([['b'], []]);
    expect(routes[0]?.deployments[0]?.terms.tags).toEqual([]);
    const filtering = loadLiteLlm(
      `${text}
router_settings: { enable_tag_filtering: true }`,
      prices,
    );
    expect(filtering.routes[0]?.deployments[0]?.terms.tags).toEqual(['t']);
  });

  test('gives endpoints, named after who answers', () => {
    const { providers, secrets } = load('autopay-litellm.yaml', undefined, env);
    const at = (name: string) => providers.find((provider) => provider.name === name);
    expect(at('azure@westeurope') ?? at('azure')).toMatchObject({
      baseUrl: 'https://example-resource.openai.azure.com/openai/v1',
      apiKeyEnv: 'AZURE_API_KEY',
    });
    expect(at('openai')).toMatchObject({ baseUrl: 'https://api.openai.com/v1', apiKeyEnv: 'OPENAI_API_KEY' });
    expect(at('127.0.0.1-8000')).toMatchObject({ baseUrl: 'http://127.0.0.1:8000/v1', apiKeyEnv: 'IMPORTED_KEY_1_1' });
    expect(secrets).toEqual({ IMPORTED_KEY_1_1: 'dummy' });
  });

  test('says by name what has no effect, with its place, and never a key', () => {
    const notices = load('autopay-litellm.yaml', undefined, env).notices.join('\n');
    for (const key of ['litellm_params.api_version', 'general_settings.master_key', 'litellm_settings.drop_params']) {
      expect(notices).toContain(`${key} has no effect here: `);
    }
    expect(notices).toContain('litellm_params.api_key stands in clear');
    // Switched off, it asks for nothing.
    expect(notices).not.toContain('set_verbose');
    expect(notices).not.toContain('dummy');
  });

  test.each([
    ['a key that nobody knows', `${entry('model: gpt-4o, temprature: 1')}`, /temprature is not a known key/],
    [
      'a setting that must not be ignored',
      `${entry('model: gpt-4o')}\nguardrails: [{}]`,
      /litellm\.yaml:2:1: guardrails cannot be honoured: requests would pass/,
    ],
    [
      'another API',
      entry('model: bedrock/anthropic.claude'),
      /names the provider bedrock, whose API is not spoken here/,
    ],
    ['a wildcard', entry('model: openai/*'), /stands for any model/],
    ['a wildcard of every provider', entry('model: "*"'), /stands for any model/],
    [
      'another mode',
      entry('model: gpt-4o', 'mode: image_generation'),
      /mode is image_generation, which the relay has no endpoint for; it has chat, completion, responses, embedding/,
    ],
    [
      'a variable that is not set',
      entry('model: openai/x, api_base: os.environ/NOWHERE'),
      /api_base names the environment variable NOWHERE/,
    ],
    ['an endpoint that nobody names', entry('model: azure/x'), /needs api_base: baseUrl is https:/],
    ['no cost', entry('model: gpt-4o', 'id: a'), /litellm\.yaml:1:14: model_list\.0 needs a price/],
    [
      'an alias of nothing',
      `${entry('model: gpt-4o')}\nrouter_settings: { model_group_alias: { a: b } }`,
      /stands for b, which is no model_name/,
    ],
    [
      'an alias that is a model too',
      `model_list: [${listed('a', 'gpt-4o')}, ${listed('b', 'gpt-4o')}]\nrouter_settings: { model_group_alias: { a: b } }`,
      /model_group_alias\.a is a model_name as well/,
    ],
    [
      'a bare name that LiteLLM would take to another API',
      entry('model: gemini-pro'),
      /names no provider, and gemini-pro is none of OpenAI’s or Anthropic’s models; write provider\/gemini-pro/,
    ],
    [
      'a fallback to nowhere',
      `${entry('model: gpt-4o')}\nrouter_settings: { fallbacks: [{ m: [n] }] }`,
      /fallbacks\.0\.m names n, which is no model_name/,
    ],
    ['no models', 'model_list: []', /model_list/],
  ])('is refused for %s', (_, text, fault) => {
    expect(faultOf(() => loadLiteLlm(text))).toMatch(fault);
  });

  test('gives an alias its own fallbacks, and else those of its model', () => {
    const text = `model_list: [${['m', 'x', 'y'].map((name) => listed(name, 'gpt-4o')).join(', ')}]
router_settings:
  model_group_alias: { a: m, b: { model: m, hidden: true } }
  fallbacks: [{ m: [x, b] }, { a: [y] }]
  context_window_fallbacks: [{ a: [x] }]`;
    const { notices, routes } = loadLiteLlm(text);
    const fallbacks = Object.fromEntries(routes.map(({ model, terms }) => [model, terms.fallbacks]));
    expect(fallbacks['m']).toMatchObject({ general: ['x', 'b'] });
    expect(fallbacks['a']).toMatchObject({ general: ['y'], context_window: ['x'] });
    expect(fallbacks['b']).toMatchObject({ general: ['x'], context_window: [] });
    expect(notices.join('\n')).toContain('model_group_alias.b.hidden has no effect here');
  });

  test('says which answers are bounded by nothing that the file states', () => {
    const bounded = 'max_output_tokens: 8192, input_cost_per_token: 1e-6, output_cost_per_token: 2e-6';
    const said =
      'litellm.yaml:1:14: model_list.0 says no max_output_tokens in model_info: answers of m end at 16384 tokens';
    expect(loadLiteLlm(entry('model: gpt-4o')).notices).toContain(said);
    expect(loadLiteLlm(entry('model: gpt-4o', bounded)).notices).toEqual([]);
    expect(loadLiteLlm(entry('model: my-llama, api_base: http://127.0.0.1:1/v1', bounded)).routes).toHaveLength(1);
  });

  test('can do without a key that would be refused', () => {
    const text = `${entry('model: gpt-4o')}\nguardrails: [{}]`;
    const config = `tokens: [{ symbol: USDC, address: "0x${'4'.repeat(40)}", decimals: 6, rate: "1" }]\npriceCurrency: USD${chain}`;
    const own = `import: [{ file: l.yaml, ignore: [guardrails] }]\n${config}`;
    const { notices } = parseConfig(own, 'autopay.yaml', { env: {}, readText: () => text });
    expect(notices.join()).toContain('guardrails is ignored, as the configuration says');
  });

  test('sells at the dearest of a model’s costs, whatever the size of a prompt, and says so of other tiers', () => {
    const plain = 'input_cost_per_token: 1.25e-06, output_cost_per_token: 1.0e-05, cache_read_input_token_cost: 1e-7';
    const above = 'input_cost_per_token_above_200k_tokens: 2.5e-06, output_cost_per_token_above_200k_tokens: 1.5e-05';
    const other = 'cache_creation_input_token_cost_above_1hr: 6e-06, input_cost_per_audio_token: 4e-6';
    const tiers = 'input_cost_per_token_priority: 9e-06, output_cost_per_token_flex: 1e-06';
    const { routes, notices } = loadLiteLlm(entry('model: openai/m', [plain, above, other, tiers].join(', ')));
    expect(routes[0]?.prices).toMatchObject([
      {
        ...{ prompt: 2_500_000n, completion: 15_000_000n, cachedPrompt: 100_000n },
        ...{ cacheWrite: 6_000_000n, audioPrompt: 4_000_000n, audioCompletion: 15_000_000n },
      },
    ]);
    expect(notices.join('\n')).toMatch(/input_cost_per_token_priority has no effect here: .*service_tier/);
    const image = faultOf(() => loadLiteLlm(entry('model: openai/m', `${plain}, input_cost_per_image: 0.001`)));
    expect(image).toMatch(/input_cost_per_image cannot be honoured: images are priced by their tokens/);
  });

  test('needs dollars for its costs, or a price', () => {
    const text = entry('model: gpt-4o');
    expect(faultOf(() => loadLiteLlm(text, '# none'))).toMatch(/has costs in US dollars.*name the price as prices\.m/);
    const { routes } = loadLiteLlm(text, 'prices: { m: { prompt: "7", completion: "8" } }');
    expect(routes[0]?.prices).toMatchObject([{ prompt: 7_000_000n }]);
  });

  test('two endpoints of one provider are two regions, and each keeps its key', () => {
    const one = (base: string, key: string) =>
      `{ model_name: m, litellm_params: { model: azure/m, api_base: ${base}, api_key: os.environ/${key} } }`;
    const text = `model_list: [${one('https://a.openai.azure.com', 'A')}, ${one('https://b.openai.azure.com', 'B')}]`;
    const { routes, providers } = loadLiteLlm(text, 'prices: { m: { free: true } }');
    expect(routes[0]?.deployments.map(({ id }) => id)).toEqual(['azure@default', 'azure@2']);
    const base = (name: string) => `https://${name}.openai.azure.com/openai/v1`;
    expect(providers).toEqual([
      { name: 'azure', baseUrl: base('a'), apiKeyEnv: 'A' },
      { name: 'azure@2', baseUrl: base('b'), apiKeyEnv: 'B' },
    ]);
  });

  test('costs are found behind anchors and merge keys, and an entry’s parameters win', () => {
    const text = `
base: &costs { input_cost_per_token: &cost 1e-6, output_cost_per_token: 2e-6, input_cost_per_token_above_200k_tokens: 3e-6 }
model_list:
  - { model_name: m, litellm_params: { model: openai/m }, model_info: { <<: *costs, cache_read_input_token_cost: *cost } }
  - model_name: n
    litellm_params: { model: openai/n, input_cost_per_token: 8e-6 }
    model_info: { <<: [*costs] }
`;
    const own = `import: [{ file: l.yaml, ignore: [base] }]\n${litellm('').split('\n# ---\n')[0] ?? ''}`;
    const { routes } = parseConfig(own, 'autopay.yaml', { env: {}, readText: () => text });
    expect(routes.map(({ prices }) => prices?.[0])).toMatchObject([
      { prompt: 3_000_000n, completion: 2_000_000n, cachedPrompt: 1_000_000n },
      { prompt: 8_000_000n, completion: 2_000_000n },
    ]);
  });

  test.each([
    ['input_cost_per_token: cheap', /model_info\.input_cost_per_token is no cost/],
    ['cache_read_input_token_cost: [1]', /model_info\.cache_read_input_token_cost is no cost/],
    ['cache_read_input_token_cost: -1e-6', /model_info\.cache_read_input_token_cost is no cost/],
    ['input_cost_per_token_above_500k_tokens: 1', /above_500k_tokens cannot be honoured/],
    ['search_context_cost_per_query: { low: 1 }', /search_context_cost_per_query cannot be honoured/],
    ['custom_pricing: 7', /custom_pricing cannot be honoured/],
  ])('a cost that is not understood is refused: %s', (cost, fault) => {
    const more = 'input_cost_per_token: 1e-6, output_cost_per_token: 2e-6';
    const others = more.split(', ').filter((one) => !one.startsWith(cost.split(':')[0] ?? '-'));
    expect(faultOf(() => loadLiteLlm(entry('model: gpt-4o', [...others, cost].join(', '))))).toMatch(fault);
  });

  test('gives time-outs, the router’s before request_timeout', () => {
    const text = `${entry('model: gpt-4o, stream_timeout: 20')}
router_settings: { timeout: 300 }
litellm_settings: { request_timeout: 900 }`;
    const { limits, routes } = loadLiteLlm(text);
    expect(routes[0]?.terms?.timeouts).toEqual({ attemptMs: 300_000 });
    expect(routes[0]?.deployments[0]?.terms?.timeouts).toEqual({ firstByteMs: 20_000 });
    expect(limits.callTimeoutMs).toBe(600_000);
  });

  test('sells embeddings, which have no output to be paid for', () => {
    const info = 'mode: embedding, input_cost_per_token: 1e-7, max_tokens: 8191, output_vector_size: 1536';
    const { notices, routes } = loadLiteLlm(entry('model: text-embedding-3-small', info));
    expect(routes[0]).toMatchObject({ contextTokens: 8_191, embeddingDimensions: 1_536 });
    expect(routes[0]?.prices).toMatchObject([{ prompt: 100_000n, completion: 0n }]);
    expect(notices.join()).not.toContain('max_output_tokens');
    const text = entry('model: text-completion-openai/davinci-002', 'mode: completion');
    expect(loadLiteLlm(text, 'prices: { m: { free: true } }').routes[0]?.deployments[0]?.id).toBe('openai@default');
  });

  test('gives for nothing what costs nothing, and says so; an alias with a price does not', () => {
    const text = `${entry('model: ollama/llama3', 'input_cost_per_token: 0, output_cost_per_token: 0.0')}
router_settings: { model_group_alias: { a: m, b: m } }`;
    const prices = 'priceCurrency: USD\nprices: { b: { prompt: "1", completion: "1" } }';
    const { notices, routes } = loadLiteLlm(text, prices);
    expect(routes.map(({ model, prices: rows }) => [model, rows === null])).toEqual([
      ['m', true],
      ['a', true],
      ['b', false],
    ]);
    expect(notices.join()).toContain('model_list.0 costs nothing: m is free for everybody');
  });

  test('takes limits where LiteLLM’s router looks for them', () => {
    const text = `model_list: [{ model_name: m, tpm: 20000, rpm: 3, litellm_params: { model: gpt-4o, rpm: 9 } }]
router_settings: { default_max_parallel_requests: 7 }
general_settings: { max_request_size_mb: 2, max_response_size_mb: 0.5 }`;
    const { limits, routes } = loadLiteLlm(text, 'prices: { m: { free: true } }');
    const terms = { tpm: 20_000, rpm: 3, maxConcurrentCalls: 7 };
    expect(routes[0]?.deployments[0]?.terms).toMatchObject(terms);
    expect(limits).toMatchObject({ maxBodyBytes: 2_097_152, maxResponseBytes: 524_288 });
  });

  test('a key without a value says nothing', () => {
    const nothing =
      'rpm: null, tpm: , timeout: null, weight: ~, api_base: null, tags: null, input_cost_per_token: null';
    const costs = 'input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, max_tokens: null, id: null, mode: null';
    const { routes } = loadLiteLlm(entry(`model: gpt-4o, ${nothing}`, costs));
    expect(routes[0]?.deployments[0]?.terms).toMatchObject({ rpm: null, tpm: null, weight: null, timeouts: {} });
    expect(routes[0]?.prices).toMatchObject([{ prompt: 1_000_000n }]);
  });

  test('gives requests what an entry says for them', () => {
    const text = entry(
      'model: gpt-5, temperature: 0.2, reasoning_effort: high, max_completion_tokens: 700, seed: null',
    );
    const { routes } = loadLiteLlm(text);
    expect(routes[0]?.deployments[0]?.defaults).toEqual({ temperature: 0.2, reasoning_effort: 'high' });
    expect(routes[0]?.defaultMaxOutputTokens).toBe(700);
    expect(loadLiteLlm(entry('model: gpt-5')).routes[0]?.deployments[0]).not.toHaveProperty('defaults');
  });

  test.each([
    ['ollama/llama3', 'http://10.0.0.9:11434', 'ollama', 'http://10.0.0.9:11434/v1'],
    ['ollama_chat/llama3', 'http://10.0.0.9:11434/v1/', 'ollama', 'http://10.0.0.9:11434/v1'],
    ['anthropic/claude', 'https://api.anthropic.com', 'anthropic', 'https://api.anthropic.com/v1'],
    ['azure/m', 'https://r.openai.azure.com/', 'azure', 'https://r.openai.azure.com/openai/v1'],
    ['huggingface/org/m', 'http://10.0.0.9:8080', 'huggingface', 'http://10.0.0.9:8080/v1'],
    ['openai/m', 'https://up.railway.app/', 'up.railway.app', 'https://up.railway.app'],
  ])('adds to the host of %s at %s what LiteLLM adds', (model, base, name, baseUrl) => {
    const { providers } = loadLiteLlm(entry(`model: ${model}, api_base: "${base}"`));
    expect(providers.find((one) => one.name === name)).toMatchObject({ baseUrl });
  });

  test('reaches Gemini by Google’s own variable', () => {
    const { providers } = loadLiteLlm(entry('model: gemini/gemini-2.5-flash'));
    const baseUrl = 'https://generativelanguage.googleapis.com/v1beta/openai';
    expect(providers).toEqual([{ name: 'gemini', baseUrl, apiKeyEnv: 'GEMINI_API_KEY' }]);
  });

  test.each([
    [
      'router_settings: { tag_filtering_match_any: false }',
      /tag_filtering_match_any cannot be honoured: one common tag/,
    ],
    ['litellm_settings: { ssl_verify: false }', /ssl_verify cannot be honoured: certificates of providers are always/],
    [
      'litellm_settings: { s3_callback_params: { a: 1 }, datadog_callbacks: [1] }',
      /datadog_callbacks cannot be honoured/,
    ],
  ])('is refused for what would be done otherwise: %s', (settings, fault) => {
    expect(faultOf(() => loadLiteLlm(`${entry('model: gpt-4o')}\n${settings}`))).toMatch(fault);
  });

  test('what stands in a parameter counts as what stands in model_info', () => {
    const costs = 'input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, cache_read_input_token_cost: 1e-7';
    const { routes } = loadLiteLlm(entry(`model: gpt-4o, ${costs}`, 'id: a'));
    expect(routes[0]?.prices).toMatchObject([{ prompt: 1_000_000n, cachedPrompt: 100_000n }]);
    const billed = entry(`model: gpt-4o, ${costs}, input_cost_per_second: 0.1`, 'id: a');
    expect(faultOf(() => loadLiteLlm(billed))).toMatch(/litellm_params\.input_cost_per_second cannot be honoured/);
  });
});
