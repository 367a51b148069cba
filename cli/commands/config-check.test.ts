import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contractAddressesSchema } from '../../protocol/deployment/deployment-schema.ts';
import { createSimulator } from '../../simulator/create-simulator.ts';
import type { CommandContext } from '../command-context.ts';
import { runConfigCheck } from './config-check.ts';
import { runConfigExplain } from './config-explain.ts';

const simulator = createSimulator();
const samples = join(import.meta.dirname, '../../docs/samples');
let folder = '';
let simulatorUrl = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-config-'));
  simulatorUrl = await simulator.listen(0);
});
afterAll(async () => {
  await simulator.close();
  await rm(folder, { recursive: true });
});

/** A data folder with this autopay.yaml, or none. */
async function dataDirWith(text?: string): Promise<string> {
  const dataDir = await mkdtemp(join(folder, 'data-'));
  if (text !== undefined) await writeFile(join(dataDir, 'autopay.yaml'), text);
  return dataDir;
}

/** Runs a command, and gives what it printed. */
async function run(dataDir: string, work: (context: CommandContext) => Promise<boolean | void>) {
  let printed: { json: unknown; text: string } = { json: null, text: '' };
  const context: CommandContext = {
    ...{ isJson: false, dataDir, print: (result) => void (printed = result) },
    stack: () => Promise.reject(new Error('no stack')),
  };
  return { verdict: await work(context), ...printed };
}

const configText = (model: string) => `
chain: { id: 31337, rpcUrl: "http://127.0.0.1:1", deployedAtBlock: 1 }
contracts: { ${Object.keys(contractAddressesSchema.shape)
  .map((name) => `${name}: "0x${'3'.repeat(40)}"`)
  .join(', ')} }
tokens:
  - { symbol: USDC, address: "0x${'4'.repeat(40)}", decimals: 6 }
  - { symbol: AGPT, address: "0x${'5'.repeat(40)}", decimals: 18, rate: "100" }
providers:
  - { name: simulated, baseUrl: "${simulatorUrl}/v1" }
  - { name: groq, apiKeyEnv: NO_SUCH_KEY_OF_GROQ }
routes:
  - model: small
    maxPrice: 0.12 AGPT/1k tokens
    deployments:
      - { provider: groq, model: llama, order: 1 }
      - { provider: simulated, model: ${model}, region: here }
    price: { prompt: "0.15", completion: "0.60" }
    fallbacks: [free]
  - { model: free, free: true, deployments: [{ provider: simulated, model: sim-free }] }
`;

describe('config check', () => {
  const check = async (text: string | undefined, options: { file?: string; isOffline?: boolean } = {}) =>
    run(await dataDirWith(text), (context) => runConfigCheck(context, { isOffline: false, ...options }));

  it('asks providers for their models, and says of which it cannot know', async () => {
    const { verdict, text } = await check(configText('sim-small'));
    expect(verdict).toBe(true);
    expect(text).toContain('warning  groq: its models are not known, NO_SUCH_KEY_OF_GROQ is not set');
    expect(text).toContain('0 fault(s), 1 warning(s); 1 of 2 providers told their models.');
  });

  it('names a model that its provider does not have', async () => {
    const { verdict, text } = await check(configText('sim-nowhere'));
    expect(verdict).toBe(false);
    expect(text).toContain('fault    simulated has no model sim-nowhere, which simulated@here of small asks for');
    const offline = await check(configText('sim-nowhere'), { isOffline: true });
    expect(offline.verdict).toBe(true);
    expect(offline.text).toContain('no provider was asked for its models');
  });

  it('lists every fault with its place', async () => {
    const { verdict, json } = await check(
      configText('sim-small').replace('order: 1', 'ordr: 1').replace('"0.60"', '0.60'),
    );
    expect(verdict).toBe(false);
    expect(json).toMatchObject({
      faults: [
        expect.stringMatching(
          /autopay\.yaml:\d+:41: routes\.0\.deployments\.0\.ordr is not a known key; did you mean "order"\?$/,
        ),
        expect.stringMatching(/routes\.0\.price\.completion must be an amount in quotes/),
      ],
    });
  });

  it('judges a foreign file by itself where nothing says the rest', async () => {
    const { verdict, text } = await check(undefined, { file: join(samples, 'litellm-router.yaml') });
    expect(verdict).toBe(true);
    expect(text).toContain('dispute_window has no effect here');
    expect(text).toContain('There is no autopay.yaml in the data folder');
    const bad = join(folder, 'bad.yaml');
    await writeFile(
      bad,
      'model_list: [{ model_name: m, litellm_params: { model: bedrock/x } }]\nguardrails: [{ a: 1 }]',
    );
    const refused = await check(undefined, { file: bad });
    expect(refused.verdict).toBe(false);
    expect(refused.text).toContain('bad.yaml:2:1: guardrails cannot be honoured');
  });

  it('reads a foreign file together with the autopay.yaml of the folder', async () => {
    const router = join(folder, 'litellm-router.yaml');
    await copyFile(join(samples, 'litellm-router.yaml'), router);
    const prices = 'prices: { mission_critical: { free: true } }';
    const { verdict, text } = await check(`${configText('sim-small')}\n${prices}`, { file: router, isOffline: true });
    expect(verdict).toBe(false);
    expect(text).toContain('litellm-router.yaml:11:5: routes.1 needs a price (as price, or as prices.cost_optimized)');
  });
});

describe('config explain', () => {
  it('says what would serve a model, in which order, and at what price', async () => {
    const dataDir = await dataDirWith(configText('sim-small'));
    const { text, json } = await run(dataDir, (context) => runConfigExplain(context, { model: 'small' }));
    const places = ['simulated@here', 'groq@default'].map((id) => text.indexOf(id));
    expect(places[0]).toBeGreaterThan(0);
    expect(places[1]).toBeGreaterThan(places[0] ?? 0);
    for (const part of ['https://api.groq.com/openai/v1', '0.150000 USDC', '60.000000 AGPT', 'then free (general)']) {
      expect(text).toContain(part);
    }
    expect(text).toContain('at most 120.000000 AGPT for 1,000,000 tokens');
    expect(json).toMatchObject({
      model: 'small',
      strategy: 'order',
      deployments: [{ id: 'simulated@here' }, { id: 'groq@default' }],
    });
    expect((await run(dataDir, (context) => runConfigExplain(context, { model: 'free' }))).text).toContain('free\n');
    await expect(run(dataDir, (context) => runConfigExplain(context, { model: 'nowhere' }))).rejects.toMatchObject({
      code: 'model_not_found',
      message: 'There is no route nowhere. There are small, free.',
    });
  });

  it('says what stands behind auto, the cheapest first, and which rules may decide otherwise', async () => {
    const more = `  - { model: dear, price: { prompt: "9", completion: "9" }, deployments: [{ provider: groq, model: big }] }
  - { model: auto, auto: {} }
routing:
  rules:
    - { name: legal, when: { tags: [legal_docs] }, targets: [dear] }
    - { name: other, when: { models: [small], tools: true }, targets: [dear] }
`;
    const dataDir = await dataDirWith(configText('sim-small') + more);
    const { json, text } = await run(dataDir, (context) => runConfigExplain(context, { model: 'auto' }));
    expect(json).toMatchObject({ cheapest: ['small', 'dear'], rules: [{ name: 'legal', targets: ['dear'] }] });
    expect(text).toContain('of a plain one small, then dear');
    expect(text).toContain('rule legal, where it matches: dear');
    expect(text.indexOf('small: 2 deployment(s)')).toBeLessThan(text.indexOf('dear: 1 deployment(s)'));
    expect(text).toContain('9.000000 USDC');
    const { text: ofSmall } = await run(dataDir, (context) => runConfigExplain(context, { model: 'small' }));
    expect(ofSmall).toContain('rule other, where it matches: dear');
  });
});
