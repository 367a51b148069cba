import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens } from '../../protocol/deployment/deployment-schema.ts';
import { priceRootOf } from '../../server/config/list-prices.ts';
import { createLog } from '../../server/log.ts';
import { startRelay, type Relay } from '../../server/start-relay.ts';
import { createSimulator } from '../../simulator/create-simulator.ts';
import { deployStack, type ChainStack } from './deploy-stack.ts';
import { RawPayer } from './raw-payer.ts';
import { startSwitchedProxy, type SwitchedProxy } from './start-switched-proxy.ts';
import { X402Payer } from './x402-payer.ts';

/** A relay that is paid on two chains, with the same contracts at the same addresses on both. */
export interface TwoChains {
  home: ChainStack;
  other: ChainStack;
  dataDir: string;
  /** What the relay reaches the other chain by. */
  toOther: SwitchedProxy;
  readonly relay: Relay;
  /** The payer of both chains; the relay's paths begin with `path`. */
  payerOn(chain: ChainStack, path?: string): RawPayer;
  /** The same with the unmodified clients of x402, to whom the relay is one of this chain only. */
  x402On(chain: ChainStack): X402Payer;
  /** Runs a job on both chains. */
  runJob(job: 'collect' | 'anchor' | 'release'): Promise<Response>;
  /** Stops the relay and starts it again on the same data folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const operatorToken = 'ab'.repeat(32);

/** What is sold: the prices of each chain are in a price table of its own. */
const routes = `
routes:
  - model: sim-small
    deployments: [{ provider: simulated, model: sim-small, region: local }]
    price: { prompt: "0.15", completion: "0.60" }
  - { model: sim-free, free: true, deployments: [{ provider: simulated, model: sim-free }] }
`;

const tokensText = ({ USDC, AGPT }: DeployedTokens) => `
      - { symbol: USDC, address: "${USDC?.address}", decimals: 6 }
      - { symbol: AGPT, address: "${AGPT?.address}", decimals: 18, rate: "100" }`;
const rootOf = (tokens: DeployedTokens): Hex => priceRootOf(parse(`tokens:${tokensText(tokens)}${routes}`));

/** Starts two chains, deploys on both, and starts a relay on them. Background jobs only run on demand. */
export async function startTwoChains(): Promise<TwoChains> {
  const simulator = createSimulator();
  const simulatorUrl = await simulator.listen(0);
  const home = await deployStack({ priceRootOf: rootOf });
  const other = await deployStack({ priceRootOf: rootOf, chainId: 31_338, like: home });
  const dataDir = await mkdtemp(join(tmpdir(), 'autopay-chains-'));
  await mkdir(join(dataDir, 'keys'));
  await writeFile(join(dataDir, 'keys/relay.key'), toHex(home.relayKey), { mode: 0o600 });
  await writeFile(join(dataDir, 'keys/operator.token'), operatorToken, { mode: 0o600 });
  const toOther = await startSwitchedProxy(other.chain.rpcUrl);
  await writeFile(join(dataDir, 'autopay.yaml'), configText(simulatorUrl, home, { ...other, rpcUrl: toOther.url }));
  const start = () => startRelay({ dataDir, port: 0, log: createLog(process.env['AUTOPAY_LOG_LEVEL'] ?? 'silent') });
  let relay = await start();
  const at = ({ chain }: ChainStack) => ({ rpcUrl: chain.rpcUrl, privateKey: toHex(home.payerKey) });
  return {
    ...{ home, other, dataDir, toOther },
    get relay() {
      return relay;
    },
    payerOn(stack, path = '') {
      const { chain, contracts } = stack;
      const { paymentChannels: escrow, autoPayLLM: payee, usdc: token } = contracts;
      const scope = { relayUrl: relay.url + path, rpcUrl: chain.rpcUrl, chainId: chain.chainId, escrow, payee, token };
      return new RawPayer(scope, toHex(home.payerKey));
    },
    x402On: (stack) =>
      new X402Payer({
        ...at(stack),
        relayUrl: `${relay.url}/chains/${stack.chain.chainId}`,
        token: stack.contracts.usdc,
      }),
    runJob: (job) =>
      fetch(`${relay.url}/v1/operator/jobs/${job}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${operatorToken}` },
      }),
    async restart() {
      await relay.close();
      relay = await start();
    },
    async stop() {
      await relay.close();
      await simulator.close();
      await toOther.stop();
      await Promise.all([home.stop(), other.stop()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function configText(simulatorUrl: string, home: ChainStack, other: ChainStack & { rpcUrl: string }): string {
  const entry = (
    { chain, contracts, deployment, rpcUrl = chain.rpcUrl }: ChainStack & { rpcUrl?: string },
    more: string,
  ) => `
  - ${more}
    id: ${chain.chainId}
    rpcUrl: "${rpcUrl}"
    deployedAtBlock: ${contracts.deployedAtBlock}
    contracts: ${JSON.stringify(deployment.contracts)}
    tokens:${tokensText(deployment.tokens)}`;
  return `
chains:${entry(other, 'strategy: none\n    maxHeadAgeSeconds: 3600')}${entry(home, 'home: true')}
${routes}
listen: { port: 0 }
providers:
  - { name: simulated, baseUrl: "${simulatorUrl}/v1" }
collection: { intervalSeconds: 600 }
audit: { intervalSeconds: 3600 }
disputes: { intervalSeconds: 1 }
`;
}
