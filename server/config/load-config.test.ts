import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { loadConfig, parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(39)}F`;
const lines = [
  'chain: { id: 31337, rpcUrl: http://127.0.0.1:8545/, deployedAtBlock: 1 }',
  `contracts: { paymentChannels: ${address('1')}, autoPayLLM: ${address('2')}, auditLog: ${address('3')} }`,
  `token: { symbol: USDC, address: ${address('4')}, decimals: 6 }`,
  'providers:',
  '  - { name: simulated, baseUrl: http://127.0.0.1:4002/v1, apiKeyEnv: OPENAI_API_KEY }',
  'routes:',
  '  - model: sim-small',
  '    deployments: [{ provider: simulated, model: sim-small, region: local }]',
  '    price: { prompt: "0.15", completion: "0.60", cachedPrompt: "0.075" }',
  '  - model: sim-free',
  '    free: true',
  '    maxOutputTokens: 1000',
  '    deployments: [{ provider: simulated, model: sim-free }]',
];
const minimal = lines.join('\n');

function faultOf(text: string): string {
  try {
    parseConfig(text, 'autopay.yaml');
  } catch (error) {
    if (error instanceof AutoPayError && error.code === 'invalid_configuration') return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

const replaced = (from: string, to: string) => {
  expect(minimal).toContain(from);
  return minimal.replace(from, to);
};

describe('a configuration', () => {
  it('needs only chain, contracts, token, providers and routes', () => {
    const config = parseConfig(minimal, 'autopay.yaml');
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 4000 });
    expect(config.chain.rpcUrl).toBe('http://127.0.0.1:8545');
    expect(config.payment).toEqual({ suggestedDepositAtomic: 5_000_000n, challengeTtlSeconds: 3600 });
    expect(config.collection).toEqual({ intervalSeconds: 60, maxClaims: 100 });
    expect(config.audit).toEqual({ intervalSeconds: 30 });
    expect(config.limits.maxBodyBytes).toBe(4_194_304);
    expect(config.limits.maxConcurrentCalls).toBe(1024);
  });

  it('keeps unquoted addresses as text, in lower case', () => {
    expect(parseConfig(minimal, 'x').contracts.autoPayLLM).toBe(`0x${'2'.repeat(39)}f`);
  });

  it('gives prices in atomic units, the parts falling back to the whole', () => {
    const [small, free] = parseConfig(minimal, 'x').routes;
    expect(small?.prices).toEqual({
      prompt: 150_000n,
      cachedPrompt: 75_000n,
      cacheWrite: 150_000n,
      audioPrompt: 150_000n,
      completion: 600_000n,
      audioCompletion: 600_000n,
      request: 0n,
    });
    expect(small?.deployments[0]?.id).toBe('simulated@local');
    expect(small?.defaultMaxOutputTokens).toBe(4096);
    expect(free?.prices).toBeNull();
    expect(free?.defaultMaxOutputTokens).toBe(1000);
    expect(free?.deployments[0]?.id).toBe('simulated@default');
  });

  it.each([
    [
      'an unknown key',
      'routes:',
      'collectoin: {}\nroutes:',
      'line 6: collectoin is not a known key; did you mean "collection"?',
    ],
    [
      'an unknown nested key',
      '    free: true',
      '    fre: true',
      'line 11: routes.1.fre is not a known key; did you mean "free"?',
    ],
    ['a bare number for money', '"0.15"', '0.15', 'line 9: routes.0.price.prompt must be an amount in quotes'],
    ['a negative amount', '"0.15"', '"-1"', 'line 9: routes.0.price.prompt must be a decimal amount'],
    [
      'too many decimals',
      '"0.15"',
      '"0.1500001"',
      'line 9: routes.0.price.prompt has more than the 6 decimals of USDC',
    ],
    ['an absurd amount', '"0.15"', `"1${'0'.repeat(30)}"`, 'line 9: routes.0.price.prompt is beyond'],
    ['no price', '    free: true', '    free: false', 'line 10: routes.1 needs a price, or free: true'],
    [
      'a price of nothing',
      'prompt: "0.15", completion: "0.60", cachedPrompt: "0.075"',
      'prompt: "0", completion: "0.0"',
      'line 9: routes.0.price is zero in every part; say free: true instead',
    ],
    [
      'a price on a free route',
      '    price:',
      '    free: true\n    price:',
      'line 10: routes.0.price contradicts free: true',
    ],
    [
      'an unknown provider',
      'provider: simulated, model: sim-small',
      'provider: simulatd, model: x',
      'did you mean "simulated"?',
    ],
    [
      'a route twice',
      'model: sim-free\n',
      'model: sim-small\n',
      'line 10: routes.1.model is the model of another route',
    ],
    ['a short address', address('2'), '0x22', 'line 2: contracts.autoPayLLM'],
    ['a missing key', ', decimals: 6', '', 'line 3: token.decimals is missing'],
    ['a key in a URL', 'http://127.0.0.1:4002', 'http://user:pw@127.0.0.1:4002', 'must not carry credentials'],
    ['a duplicate key', '    free: true', '    free: true\n    free: true', 'Map keys must be unique'],
    [
      'collections too far apart for the grace period of a close',
      'routes:',
      'collection: { intervalSeconds: 601 }\nroutes:',
      'line 6: collection.intervalSeconds',
    ],
    ['a port out of range', 'routes:', 'listen: { port: 70000 }\nroutes:', 'line 6: listen.port'],
    [
      'an output default above the maximum',
      '    maxOutputTokens: 1000',
      '    maxOutputTokens: 10\n    defaultMaxOutputTokens: 11',
      'is above maxOutputTokens',
    ],
  ])('is refused for %s, naming the line', (_, from, to, message) => {
    expect(faultOf(replaced(from, to))).toContain(message);
  });

  it('reports every fault at once, and an empty file by the keys it lacks', () => {
    const fault = faultOf('');
    for (const key of ['chain', 'contracts', 'token', 'providers', 'routes'])
      expect(fault).toContain(`${key} is missing`);
  });

  it('is read from a file; a missing one says what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'autopay-config-'));
    try {
      await writeFile(join(folder, 'autopay.yaml'), minimal);
      expect((await loadConfig(join(folder, 'autopay.yaml'))).token.symbol).toBe('USDC');
      await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/Cannot read.*npm start/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
