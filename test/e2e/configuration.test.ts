import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFunctionData } from 'viem';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkBooks } from '../../fsck/check-books.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens } from '../../protocol/deployment/deployment-schema.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { priceRootOf } from '../../server/config/list-prices.ts';
import { readSources } from '../../server/config/read-sources.ts';
import { createLog } from '../../server/log.ts';
import { startRelay, type Relay } from '../../server/start-relay.ts';
import { createSimulator } from '../../simulator/create-simulator.ts';
import { deployStack, type ChainStack } from '../support/deploy-stack.ts';
import { chatBody, RawPayer } from '../support/raw-payer.ts';
import { sendAs } from '../support/send-as.ts';

const samples = join(import.meta.dirname, '../../docs/samples');
const simulator = createSimulator();
const log = createLog('silent');
const env = { LITELLM_MASTER_KEY: 'x', DATABASE_URL: 'x' };
let folder = '';
let simulatorUrl = '';
let stack: ChainStack;

const address = (tokens: DeployedTokens, symbol: string) => tokens[symbol]?.address ?? '0x';

/** The autopay.yaml beside the blueprint's router: prices in USDC, ceilings in AGPT, and the simulator in place of each provider. */
const besideRouter = (tokens: DeployedTokens, changes: { price?: string; more?: string; provider?: string } = {}) => `
import: [litellm-router.yaml]
tokens:
  - { symbol: USDC, address: "${address(tokens, 'USDC')}", decimals: 6 }
  - { symbol: AGPT, address: "${address(tokens, 'AGPT')}", decimals: 18, rate: "100" }
prices:
  mission_critical: { prompt: "${changes.price ?? '0.40'}", completion: "1.20" }
  cost_optimized: { prompt: "0.04", completion: "0.085" }
providers:
  - { name: ${changes.provider ?? 'openai'}, baseUrl: "${simulatorUrl}/v1", models: { gpt-4-turbo: "sim-large?fault=status:500" } }
  - { name: anyscale, baseUrl: "${simulatorUrl}/v1", models: { gpt-4-turbo: "sim-large?fault=refuse" } }
  - { name: together, baseUrl: "${simulatorUrl}/v1", models: { gpt-4-turbo: sim-large } }
  - { name: groq, baseUrl: "${simulatorUrl}/v1", models: { mixtral-8x22b: sim-small } }
  - { name: fireworks, baseUrl: "${simulatorUrl}/v1", models: { mixtral-8x22b: sim-small } }
  - { name: deepinfra, baseUrl: "${simulatorUrl}/v1", models: { mixtral-8x22b: sim-small } }
  - { name: simulated, baseUrl: "${simulatorUrl}/v1" }
routes:
  - { model: held, free: true, deployments: [{ provider: simulated, model: "sim-free?barrier=held:2" }] }
  - { model: calm, free: true, deployments: [{ provider: simulated, model: sim-free }] }
${changes.more ?? ''}
`;

/** The autopay.yaml beside LiteLLM's configuration. */
const besideLiteLlm = (tokens: DeployedTokens) => `
priceCurrency: USD
tokens: [{ symbol: USDC, address: "${address(tokens, 'USDC')}", decimals: 6, rate: "1" }]
prices: { local: { free: true } }
providers:
  - { name: azure, baseUrl: "${simulatorUrl}/v1", models: { gpt-4o-westeurope: "sim-large?fault=status:500" } }
  - { name: openai, baseUrl: "${simulatorUrl}/v1", models: { gpt-4o: sim-large } }
  - { name: groq, baseUrl: "${simulatorUrl}/v1", models: { llama-3.3-70b-versatile: sim-small } }
  - { name: together, baseUrl: "${simulatorUrl}/v1", models: { meta-llama/Llama-3.3-70B-Instruct-Turbo: sim-small } }
  - { name: 127.0.0.1-8000, baseUrl: "${simulatorUrl}/v1", models: { qwen3: sim-free } }
`;

const place = () => `
listen: { port: 0 }
chain: { id: ${stack.chain.chainId}, rpcUrl: "${stack.chain.rpcUrl}", deployedAtBlock: ${stack.contracts.deployedAtBlock} }
contracts: ${JSON.stringify(stack.deployment.contracts)}
collection: { intervalSeconds: 600 }
audit: { intervalSeconds: 3600 }
`;

/** The root of the price table that files describe. */
function rootOf(text: string, imports: string[] = []): Hex {
  const { value, faults } = readSources(text, join(samples, 'autopay.yaml'), { env, imports });
  expect(faults).toEqual([]);
  return priceRootOf(value);
}

/** What a vote does at its end. */
async function publish(root: Hex): Promise<void> {
  const { priceBook, timelock } = stack.contracts;
  const data = encodeFunctionData({ abi: priceBookAbi, functionName: 'publishPriceRoot', args: [root, 0n] });
  await sendAs(stack.chain, { from: timelock, to: priceBook, data });
}

/** A data folder with an autopay.yaml, and perhaps a sample beside it. */
async function dataDirWith(text: string, sample?: string): Promise<string> {
  const dataDir = await mkdtemp(join(folder, 'relay-'));
  await mkdir(join(dataDir, 'keys'));
  await writeFile(join(dataDir, 'keys/relay.key'), toHex(stack.relayKey), { mode: 0o600 });
  await writeFile(join(dataDir, 'autopay.yaml'), text);
  if (sample !== undefined) await copyFile(join(samples, sample), join(dataDir, sample));
  return dataDir;
}

const payerAt = (relay: Relay) =>
  new RawPayer(
    {
      relayUrl: relay.url,
      rpcUrl: stack.chain.rpcUrl,
      chainId: stack.chain.chainId,
      escrow: stack.contracts.paymentChannels,
      payee: stack.contracts.autoPayLLM,
      token: stack.contracts.usdc,
    },
    toHex(stack.payerKey),
  );

/** Pays for a call, from a channel of its own, and gives its receipt. */
async function payFor(relay: Relay, model: string) {
  const payer = payerAt(relay);
  const channelId = await payer.openChannel({ deposit: 1_000_000n });
  const body = chatBody({ model });
  const challenge = await payer.challenge(body);
  const response = await payer.pay({ channelId, cumulativeAmount: 500_000n, body, challenge });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
}

const ask = (relay: Relay, model: string) =>
  fetch(`${relay.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: chatBody({ model }),
  });

const configurationOf = async (relay: Relay) =>
  (
    (await (await fetch(`${relay.url}/healthz`)).json()) as {
      configuration: { loadedAt: string; refusedAt: string | null };
    }
  ).configuration;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-configuration-'));
  simulatorUrl = await simulator.listen(0);
  stack = await deployStack({ priceRootOf: (tokens) => rootOf(besideRouter(tokens)) });
});
afterAll(async () => {
  await simulator.close();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe('a relay that runs the blueprint’s litellm-router.yaml', () => {
  let relay: Relay;
  let dataDir = '';
  const write = (changes: Parameters<typeof besideRouter>[1] = {}) =>
    writeFile(join(dataDir, 'autopay.yaml'), besideRouter(stack.deployment.tokens, changes) + place());

  beforeAll(async () => {
    dataDir = await dataDirWith(besideRouter(stack.deployment.tokens) + place(), 'litellm-router.yaml');
    relay = await startRelay({ dataDir, port: 0, log, env });
  });
  afterAll(() => relay?.close());

  it('sells its routes, and calls the fallback when the others fail', async () => {
    const receipt = await payFor(relay, 'mission_critical');
    expect(receipt.modelAsked).toBe('mission_critical');
    expect(receipt.provider).toBe('together');
    expect((await payFor(relay, 'cost_optimized')).provider).toBe('groq');
  });

  it('takes over a changed file; a call under way ends as it began', async () => {
    const underWay = ask(relay, 'held');
    // Released by a second request of the same name, sent to the simulator itself, once it waits there.
    await vi.waitFor(async () => {
      const asked: unknown = await (await fetch(`${simulatorUrl}/sim/requests`)).json();
      expect(JSON.stringify(asked)).toContain('barrier');
    }, 10_000);
    await write({ more: '  - { model: fresh, free: true, deployments: [{ provider: simulated, model: sim-free }] }' });
    await relay.reload();
    expect((await ask(relay, 'fresh')).status).toBe(200);
    const body = chatBody({ model: 'sim-free?barrier=held:2' });
    await fetch(`${simulatorUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const answer = await underWay;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ object: 'chat.completion' });
  });

  it('sees by itself that a file has changed', async () => {
    const { loadedAt } = await configurationOf(relay);
    await write({ more: '  - { model: seen, free: true, deployments: [{ provider: simulated, model: sim-free }] }' });
    await vi.waitFor(async () => expect((await configurationOf(relay)).loadedAt).not.toBe(loadedAt), 15_000);
    expect((await ask(relay, 'seen')).status).toBe(200);
  });

  it('keeps what it has where a file is bad, wants a restart, or lacks a key, and says so in /healthz', async () => {
    for (const bad of [
      { more: '  - { model: seen, fre: true }' },
      { more: 'listen: { port: 1 }\nrealm: elsewhere' },
      { provider: 'openai, apiKeyEnv: NOWHERE' },
    ]) {
      await write();
      await relay.reload();
      expect((await configurationOf(relay)).refusedAt).toBeNull();
      await write(bad);
      await relay.reload();
      expect((await configurationOf(relay)).refusedAt).not.toBeNull();
      expect((await ask(relay, 'calm')).status).toBe(200);
    }
  });

  it('changes prices once their table is in force, not before', async () => {
    const before = await payFor(relay, 'cost_optimized');
    await write({ price: '0.41' });
    await relay.reload();
    expect((await configurationOf(relay)).refusedAt).not.toBeNull();
    expect((await payFor(relay, 'mission_critical')).priceRoot).toBe(before.priceRoot);
    const root = rootOf(besideRouter(stack.deployment.tokens, { price: '0.41' }));
    await publish(root);
    await relay.reload();
    expect((await configurationOf(relay)).refusedAt).toBeNull();
    expect((await payFor(relay, 'mission_critical')).priceRoot).toBe(root);
    const models = (await (await fetch(`${relay.url}/v1/models`)).json()) as { price_root: string };
    expect(models.price_root).toBe(root);
    // What was charged under either table can be recomputed.
    const report = await checkBooks({ dataDir, rpcUrl: null });
    expect(report.claims.find(({ name }) => name === 'prices_recomputed')).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/^\d+ amounts are price times usage under [23] price table\(s\), in 2 token\(s\)$/),
    });
  });
});

describe('a relay that is given LiteLLM’s config.yaml', () => {
  it('sells its models, for money and for nothing', async () => {
    const config = join(samples, 'litellm-config.yaml');
    const text = besideLiteLlm(stack.deployment.tokens);
    await publish(rootOf(text, [config]));
    const relay = await startRelay({
      dataDir: await dataDirWith(text + place()),
      configFile: config,
      port: 0,
      log,
      env,
    });
    try {
      const receipt = await payFor(relay, 'gpt-4o');
      expect(receipt).toMatchObject({ modelAsked: 'gpt-4o', provider: 'openai' });
      const free = await ask(relay, 'local');
      expect(free.status).toBe(200);
      expect(free.headers.get('x-autopay-receipt')).not.toBeNull();
      expect((await payFor(relay, 'gpt-4')).modelAsked).toBe('gpt-4');
    } finally {
      await relay.close();
    }
  });
});
