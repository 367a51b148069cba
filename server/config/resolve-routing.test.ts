import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parseConfig } from './load-config.ts';
import type { RelayConfig } from './relay-config.ts';

const address = (digit: string) => `0x${digit.repeat(40)}`;
const contracts = [
  'paymentChannels',
  'autoPayLLM',
  'auditLog',
  'modelBudgets',
  'priceBook',
  'priceOracle',
  'keyRegistry',
]
  .concat(['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'])
  .map((name) => `${name}: ${address('3')}`)
  .join(', ');
const agpt = `{ symbol: AGPT, address: ${address('4')}, decimals: 18 }`;
const usdTokens = `{ symbol: AGPT, address: ${address('4')}, decimals: 18, oracle: true }, { symbol: USDC, address: ${address('5')}, decimals: 6, rate: "1" }`;

interface Parts {
  tokens?: string;
  currency?: string;
  /** YAML lines of the deployment of route `a`, of the route, of the list of routes, and of `routing`. */
  deployment?: string[];
  route?: string[];
  routes?: string[];
  routing?: string[];
}

/** Routes `a` and `b` of one deployment each, at 1 and 2, and at 3 and 6 AGPT per 1,000,000 tokens. */
function read(parts: Parts = {}): RelayConfig {
  const { currency = 'AGPT', deployment = [], route = [], routes = [], routing = [], tokens = agpt } = parts;
  const text = [
    'chain: { id: 31337, rpcUrl: http://127.0.0.1:8545/, deployedAtBlock: 1 }',
    `contracts: { ${contracts} }`,
    `tokens: [${tokens}]`,
    `priceCurrency: ${currency}`,
    'providers: [{ name: sim, baseUrl: http://127.0.0.1:4010/v1 }]',
    'routes:',
    '  - model: a',
    '    price: { prompt: "1", completion: "2" }',
    ...route.map((line) => `    ${line}`),
    '    deployments:',
    '      - provider: sim',
    '        model: sim-a',
    ...deployment.map((line) => `        ${line}`),
    '  - { model: b, price: { prompt: "3", completion: "6" }, deployments: [{ provider: sim, model: sim-b }] }',
    ...routes.map((line) => `  ${line}`),
    'routing:',
    '  healthChecks: { probe: none }',
    ...routing.map((line) => `  ${line}`),
  ];
  return parseConfig(text.join('\n'), 'autopay.yaml');
}

function faultOf(parts: Parts): string {
  try {
    read(parts);
  } catch (error) {
    if (error instanceof AutoPayError && error.code === 'invalid_configuration') return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('routing', () => {
  it('is plain where nothing is said', () => {
    const { routes, routing } = read();
    expect(routes[0]?.terms).toEqual({
      ...{ strategy: 'order', retries: 0, hedgeAfterMs: null, timeouts: {}, priceCeiling: null, auto: null },
      fallbacks: { general: [], context_window: [], content_policy: [] },
    });
    expect(routes[0]?.deployments[0]?.terms).toMatchObject({ order: 0, rpm: null, region: 'default', tools: true });
    expect(routing.cooldown).toEqual({ allowedFails: 3, seconds: 5, mostSeconds: 300, refusedKeySeconds: 60 });
  });

  it('takes what a route says, and else what holds for all', () => {
    const { routes } = read({
      route: ['strategy: least-busy', 'fallbacks: [b]', 'contextWindowFallbacks: [b]', 'timeouts: { idleMs: 5 }'],
      routing: ['strategy: latency-based-routing', 'retries: 2', 'fallbacks: [a]'],
      deployment: ['order: 1', 'rpm: 60', 'tags: [free]', 'cost: { prompt: "0.5", completion: "1" }'],
    });
    const [a, b] = routes;
    expect(a?.terms).toMatchObject({
      ...{ strategy: 'least-busy', retries: 2, timeouts: { idleMs: 5 } },
      fallbacks: { general: ['b'], context_window: ['b'], content_policy: [] },
    });
    expect(b?.terms).toMatchObject({ strategy: 'latency-based-routing', fallbacks: { general: ['a'] } });
    const half = 5n * 10n ** 17n;
    expect(a?.deployments[0]?.terms).toMatchObject({
      ...{ order: 1, rpm: 60, tags: ['free'], cost: { prompt: half, completion: 2n * half } },
    });
  });

  it.each<[Parts, string]>([
    [{ route: ['fallbacks: [c]'] }, 'is the model of no route'],
    [{ route: ['fallbacks: [a]'] }, 'names the route itself'],
    [{ route: ['strategy: fastest'] }, 'strategy'],
    [{ route: ['fallback: [b]'] }, 'did you mean "fallbacks"?'],
    [{ routing: ['fallbacks: [c]'] }, 'is the model of no route'],
    [{ routing: ['rules: [{ name: r, when: {}, targets: [c] }]'] }, 'is the model of no route'],
    [{ routing: ['rules: [{ name: r, when: { pattern: "(a)\\\\1" }, targets: [b] }]'] }, 'is no RE2 pattern'],
    [{ routing: ['rules: [{ name: r, when: { headers: { x-a: "(" } }, targets: [b] }]'] }, 'is no RE2 pattern'],
    [
      { routing: ['rules: [{ name: r, when: {}, targets: [b] }, { name: r, when: {}, targets: [b] }]'] },
      'another rule',
    ],
    [{ routes: ['- { model: c, auto: { among: [d] } }'] }, 'is the model of no route'],
    [{ routes: ['- { model: c, auto: {}, free: true }'] }, 'stands for other routes'],
    [{ routes: ['- { model: c, free: true }'] }, 'needs at least one'],
  ])('is refused by name: %o', (parts, fault) => {
    expect(faultOf(parts)).toContain(fault);
  });

  it('lets a route stand for others, which is neither free nor has a price', () => {
    const { routes } = read({ routes: ['- { model: c, auto: { region: eu } }'] });
    expect(routes[2]).toMatchObject({ model: 'c', prices: [], deployments: [], terms: { auto: { region: 'eu' } } });
  });
});

describe('a price ceiling', () => {
  it('is in atomic units of its token for 1,000,000 tokens', () => {
    const { routes } = read({ route: ['maxPrice: 0.12 AGPT/1k tokens'] });
    expect(routes[0]?.terms.priceCeiling).toEqual({ token: address('4'), perMillion: 120n * 10n ** 18n, inUsd: false });
  });

  it('may be in US dollars where prices are', () => {
    const { routes } = read({ tokens: usdTokens, currency: 'USD', route: ['maxPrice: 2 USD/1M tokens'] });
    expect(routes[0]?.terms.priceCeiling).toEqual({ token: address('4'), perMillion: 200_000_000n, inUsd: true });
  });

  it('may be in a token that prices are converted to', () => {
    const { routes } = read({ tokens: usdTokens, currency: 'USD', route: ['maxPrice: 0.5 USDC/1k tokens'] });
    expect(routes[0]?.terms.priceCeiling).toEqual({ token: address('5'), perMillion: 500_000_000n, inUsd: false });
  });

  it('leaves deployments out that cost the operator more', () => {
    const route = ['maxPrice: 2 AGPT/1M tokens'];
    expect(read({ route, deployment: ['cost: { prompt: "1", completion: "2" }'] }).routes[0]?.deployments).toHaveLength(
      1,
    );
    expect(faultOf({ route, deployment: ['cost: { prompt: "3", completion: "1" }'] })).toContain(
      'is below the cost of every deployment',
    );
  });

  it.each([
    ['maxPrice: 1.99 AGPT/1M tokens', 'is below the route’s own price'],
    ['maxPrice: 1 EUR/1k tokens', 'is in EUR, which calls are not paid in; there are AGPT'],
    ['maxPrice: 1 USD/1k tokens', 'is in USD, which calls are not paid in'],
    ['maxPrice: cheap', 'must be an amount such as'],
  ])('%s: %s', (line, fault) => {
    expect(faultOf({ route: [line] })).toContain(fault);
  });
});
