import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createCosigner } from '../../protocol/log/signed-note.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { priceRootOf } from './list-prices.ts';
import { loadConfig, parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(39)}F`;
const otherContracts = ['auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry']
  .concat(['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'])
  .map((name) => `${name}: ${address('3')}`)
  .join(', ');
const lines = [
  'chain: { id: 31337, rpcUrl: http://127.0.0.1:8545/, deployedAtBlock: 1 }',
  `contracts: { paymentChannels: ${address('1')}, autoPayLLM: ${address('2')}, ${otherContracts} }`,
  `tokens: [{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`,
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
    if (error instanceof AutoPayError && error.code === 'invalid_configuration') {
      // Columns are yaml-source.test.ts's.
      return error.message.replaceAll(/autopay\.yaml:(\d+):\d+: /g, 'line $1: ');
    }
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** USDC and, with more to say of it, AGPT. */
const second = (more: string) =>
  `{ symbol: USDC, address: ${address('4')}, decimals: 6 }, { symbol: AGPT, address: X, decimals: 18${more} }`;

const replaced = (from: string, to: string) => {
  expect(minimal).toContain(from);
  return minimal.replace(from, to);
};

describe('a configuration', () => {
  it('needs only chain, tokens, providers and routes, and contracts where nothing is published of the chain', () => {
    const config = parseConfig(minimal, 'autopay.yaml');
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 4000, trustedProxies: 0 });
    expect(config.chain.rpcUrl).toBe('http://127.0.0.1:8545');
    expect(config.chain).toMatchObject({ reorgMarginBlocks: 512, maxBlocksPerQuery: 10_000, maxHeadAgeSeconds: 120 });
    expect(config.payment).toEqual({
      maxUnsettledPercent: 200,
      ...{ challengeTtlSeconds: 3600, methods: ['evm/session', 'x402', 'evm/charge', 'key'], x402: {} },
      slices: { enabled: true, outputTokens: 128, waitSeconds: 30 },
      sponsorship: { enabled: true, minDepositPercent: 20, perPayerPerHour: 12, perHour: 1_200 },
    });
    expect(config.tokens).toMatchObject([{ symbol: 'USDC', oracle: false, suggestedDeposit: 5_000_000n }]);
    expect(config.tokens[0]).not.toHaveProperty('payerBudget');
    expect(config.routes.map(({ firstSlice }) => firstSlice)).toEqual(config.routes.map(() => false));
    expect(config.budgets).toEqual({ maxStalenessSeconds: 300 });
    expect(config.collection).toEqual({ intervalSeconds: 60, maxClaims: 100 });
    const audit = { intervalSeconds: 30, maxMergeDelaySeconds: 5, maxCheckpointAgeSeconds: 600 };
    expect(config.audit).toMatchObject(audit);
    expect(config.disputes).toEqual({ intervalSeconds: 60 });
    expect(config.limits.maxBodyBytes).toBe(4_194_304);
    expect(config.limits.maxConcurrentCalls).toBe(1024);
  });

  it('has searches where they have a price, and says things for requests', () => {
    const more = 'search: true\n    price: { request: "0.08",';
    const said = replaced('price: {', more).replace('region: local', 'region: local, defaults: { temperature: 0.2 }');
    const [first, second] = parseConfig(said, 'autopay.yaml').routes;
    expect(first).toMatchObject({ search: true, deployments: [{ defaults: { temperature: 0.2 } }] });
    expect(second?.search).toBe(false);
  });

  it('requires no more cosignatures than there are witnesses, each with a key of its own', () => {
    const keys = [1, 2].map((seed) => createCosigner({ name: 'w', seed: Buffer.alloc(32, seed) }).verifierKey);
    const auditOf = (required: number, ...own: (string | undefined)[]) => {
      const witnesses = own.map((key) => `{ url: http://127.0.0.1:4020, key: "${key}" }`);
      return `${minimal}\naudit: { requiredCosignatures: ${required}, witnesses: [${witnesses.join(', ')}] }`;
    };
    expect(parseConfig(auditOf(2, ...keys), 'autopay.yaml').audit.requiredCosignatures).toBe(2);
    expect(faultOf(auditOf(3, ...keys))).toMatch(/above the number of audit.witnesses, 2/);
    expect(faultOf(auditOf(1, keys[0], keys[0]))).toMatch(/is the key of another witness already/);
  });

  it('takes no margin that one log query cannot hold', () => {
    const chainOf = (margin: number, most: number) =>
      replaced(
        'deployedAtBlock: 1 }',
        `deployedAtBlock: 1, reorgMarginBlocks: ${margin}, maxBlocksPerQuery: ${most} }`,
      );
    expect(parseConfig(chainOf(499, 500), 'x').chain).toMatchObject({ reorgMarginBlocks: 499, maxBlocksPerQuery: 500 });
    expect(faultOf(chainOf(500, 500))).toContain('reorgMarginBlocks');
  });

  it('keeps unquoted addresses as text, in lower case', () => {
    expect(parseConfig(minimal, 'x').contracts.autoPayLLM).toBe(`0x${'2'.repeat(39)}f`);
  });

  it('gives prices in atomic units, the parts falling back to the whole', () => {
    const [small, free] = parseConfig(minimal, 'x').routes;
    expect(small?.prices).toEqual([
      {
        model: 'sim-small',
        token: `0x${'4'.repeat(39)}f`,
        inUsd: false,
        prompt: 150_000n,
        cachedPrompt: 75_000n,
        cacheWrite: 150_000n,
        audioPrompt: 150_000n,
        completion: 600_000n,
        audioCompletion: 600_000n,
        request: 0n,
      },
    ]);
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
    [
      'no price',
      '    free: true',
      '    free: false',
      'line 10: routes.1 needs a price (as price, or as prices.sim-free), or free: true',
    ],
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
      'a search that no price covers',
      '    price:',
      '    search: true\n    price:',
      'line 9: routes.0.search needs price.request above zero',
    ],
    [
      'a default that would make calls dearer',
      'region: local }',
      'region: local, defaults: { max_tokens: 9 } }',
      'line 8: routes.0.deployments.0.defaults',
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
    ['a missing key', ', decimals: 6', '', 'line 3: tokens.0.decimals is missing'],
    ['a key in a URL', 'http://127.0.0.1:4002', 'http://user:pw@127.0.0.1:4002', 'must not carry credentials'],
    ['a duplicate key', '    free: true', '    free: true\n    free: true', 'is not valid YAML: duplicate key'],
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

  it.each([
    ['a second token without a rate', second(''), 'line 3: tokens.1 needs a rate (AGPT per USDC)'],
    ['a token twice', second(', rate: "8"').replace('AGPT', 'USDC'), 'tokens.1.symbol is the symbol of another token'],
    ['a rate of nothing', second(', rate: "0.0"'), 'tokens.1 has a rate of nothing'],
    ['an oracle without US dollars', second(', oracle: true'), 'set priceCurrency: USD'],
    ['a rate and an oracle', second(', rate: "8", oracle: true'), 'has a rate and an oracle'],
    ['a rate of the first token', '{ symbol: USDC, address: X, decimals: 6, rate: "1" }', 'is what prices are in'],
    ['a token that is called like the currency', '{ symbol: USD, address: X, decimals: 6 }', 'cannot be called USD'],
  ])('is refused for %s', (_, tokens, message) => {
    const text = replaced(`[{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`, `[${tokens}]`);
    expect(faultOf(text.replaceAll('X', address('5')))).toContain(message);
  });

  it('is refused for prices in a currency that is no token, or with more decimals than US dollars have here', () => {
    expect(faultOf(`${minimal}\npriceCurrency: EUR`)).toContain(
      'priceCurrency has to be USDC, the first token, or USD',
    );
    const inUsd = `${minimal.replace('decimals: 6', 'decimals: 6, oracle: true')}\npriceCurrency: USD`;
    expect(faultOf(inUsd.replace('"0.15"', '"0.123456789"'))).toContain('has more than the 8 decimals of USD');
  });

  it('gives a row for each token: at a rate rounded up, with an oracle in US dollars', () => {
    const text = replaced(
      `[{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`,
      `[${second(', rate: "0.3333"')}]`,
    );
    const { routes, tokens, priceCurrency } = parseConfig(text.replaceAll('X', address('5')), 'x');
    expect(priceCurrency).toBe('USDC');
    expect(routes[0]?.prices).toMatchObject([
      { inUsd: false, prompt: 150_000n },
      { inUsd: false, prompt: 49_995n * 10n ** 12n, cachedPrompt: 249_975n * 10n ** 11n },
    ]);
    expect(tokens[1]?.suggestedDeposit).toBe(16_665n * 10n ** 14n);
    const coarse = text.replace('decimals: 18', 'decimals: 2').replaceAll('X', address('5'));
    // 0.15 × 0.3333 = 0.049995, in hundredths.
    expect(parseConfig(coarse, 'x').routes[0]?.prices?.[1]?.prompt).toBe(5n);
    const inUsd = `${text.replace('decimals: 6', 'decimals: 6, oracle: true').replaceAll('X', address('5'))}\npriceCurrency: USD`;
    const priced = parseConfig(inUsd, 'x');
    expect(priced.routes[0]?.prices?.[0]).toMatchObject({ inUsd: true, prompt: 15_000_000n });
    expect(priced.routes[0]?.prices?.[1]).toMatchObject({ inUsd: false, prompt: 49_995n * 10n ** 12n });
    expect(priced.tokens[0]).toMatchObject({ oracle: true, suggestedDeposit: 500_000_000n });
  });

  it('gives what a payer may spend in each token, as prices are: rounded up at a rate, or in US dollars', () => {
    const text = replaced(
      `[{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`,
      `[${second(', rate: "0.3333"')}]`,
    ).replaceAll('X', address('5'));
    const budget = (terms: string) => `\npayment: { payerBudget: ${terms} }`;
    const { payment, tokens } = parseConfig(text + budget('{ amount: "2.5" }'), 'x');
    expect(payment.payerBudget).toEqual({ amount: '2.5', period: '1d' });
    expect(tokens.map(({ payerBudget }) => payerBudget)).toEqual([2_500_000n, 83_325n * 10n ** 13n]);
    const inUsd = `${text.replace('decimals: 6', 'decimals: 6, oracle: true')}\npriceCurrency: USD`;
    expect(parseConfig(inUsd + budget('{ amount: "2.5", period: 7d }'), 'x').tokens[0]?.payerBudget).toBe(250_000_000n);
    expect(faultOf(text + budget('{ amount: "0" }'))).toContain('payment.payerBudget.amount is zero');
    expect(faultOf(text + budget('{ amount: "1", period: 1y }'))).toContain(
      'payment.payerBudget.period must be a number',
    );
  });

  it('has a price root that can be told before the contracts are known', () => {
    const { routes } = parseConfig(minimal, 'x');
    const file = parse(minimal.replaceAll(/0x[0-9F]{40}/g, '"$&"')) as object;
    expect(priceRootOf({ ...file, contracts: undefined })).toBe(
      rootOfPrices(routes.flatMap(({ prices }) => prices ?? [])),
    );
    const free = { ...file, routes: [{ model: 'f', free: true, deployments: [{ provider: 'p', model: 'f' }] }] };
    expect(priceRootOf(free)).toBe(`0x${'0'.repeat(64)}`);
    expect(() => priceRootOf({ ...file, tokens: [] })).toThrow(/The prices cannot be read: tokens /);
  });

  it('reports every fault at once, and an empty file by the keys it lacks', () => {
    const fault = faultOf('');
    for (const key of ['chain', 'tokens', 'routes']) expect(fault).toContain(`${key} is missing`);
  });

  it('is read from a file; a missing one says what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'autopay-config-'));
    try {
      await writeFile(join(folder, 'autopay.yaml'), minimal);
      expect((await loadConfig(join(folder, 'autopay.yaml'))).priceCurrency).toBe('USDC');
      await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/Cannot read.*npm start/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
