import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WalletOptions } from '../../client/open-wallet.ts';
import type { CheckBooksOptions } from '../../fsck/check-books.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import type { TokenPrices } from '../../protocol/pricing/token-prices.ts';
import { runJob } from '../../scripts/demo/run-job.ts';
import { startStack, type RunningStack, type StartStackOptions } from '../../scripts/stack.ts';
import { deployPlainToken, fundPlainToken } from './deploy-plain-token.ts';
import { RawPayer } from './raw-payer.ts';
import { startChain, usesAnvil } from './start-chain.ts';

/** What end-to-end tests use of a stack of their own. */
export interface TestStack extends RunningStack {
  sidecarUrl: string;
  /** The demo wallet, writing the wire by hand. */
  payer: RawPayer;
  /** The relay's address, which signs receipts. */
  relayAddress: Hex;
  /** For a wallet of the client's, with a state folder of its own. */
  payFetchOptions: WalletOptions;
  fsckOptions: CheckBooksOptions;
  /** Atomic units per 1,000,000 tokens, as the test's configuration has them. */
  prices: TokenPrices;
  /** Runs a job of the relay to its end and gives its result. */
  runJob(job: 'collect' | 'anchor'): Promise<object>;
}

const simulated = (model: string) => [{ provider: 'simulated', model, region: 'local' }];

/**
 * Starts chain, contracts, simulator, relay and sidecar on free ports, in a temporary folder that `stop` removes. The
 * background jobs only run on demand.
 * @param options.extraRoutes names of the simulator's models, with their directives, that the relay sells too.
 * @param options.freeRoutes the same, for nothing.
 * @param options.hasPlainToken whether "USDC" is a token that knows nothing but ERC-20.
 */
export async function startTestStack(
  options: {
    relayEnv?: Readonly<Record<string, string>>;
    extraRoutes?: readonly string[];
    freeRoutes?: readonly string[];
    hasPlainToken?: boolean;
    config?: Record<string, unknown>;
  } = {},
): Promise<TestStack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'autopay-test-'));
  const price = { prompt: '0.15', completion: '0.60', cachedPrompt: '0.075' };
  const paid = ['sim-small', ...(options.extraRoutes ?? [])];
  const free = ['sim-free', ...(options.freeRoutes ?? [])];
  const { hasPlainToken = false } = options;
  const chain = usesAnvil || hasPlainToken ? await startChain() : undefined;
  const starting = startOn(chain && hasPlainToken ? chain.rpcUrl : undefined, {
    dataDir: join(dataDir, 'stack'),
    ...(options.relayEnv ? { relayEnv: options.relayEnv } : {}),
    ...(chain && { rpcUrl: chain.rpcUrl }),
    config: {
      routes: [
        ...paid.map((model) => ({ model, deployments: simulated(model), price, firstSlice: true })),
        ...free.map((model) => ({ model, deployments: simulated(model), free: true })),
      ],
      collection: { intervalSeconds: 600 },
      audit: { intervalSeconds: 600 },
      ...options.config,
    },
  });
  const running = await starting.catch(async (error: unknown) => {
    await chain?.stop();
    throw error;
  });
  const { stack } = running;
  const privateKey = (await readFile(stack.wallet.keyFile, 'utf8')).trim() as Hex;
  const health = (await (await fetch(`${stack.relayUrl}/healthz`)).json()) as { relay: Hex };

  return {
    ...running,
    sidecarUrl: stack.sidecarUrl,
    payer: new RawPayer(
      {
        relayUrl: stack.relayUrl,
        rpcUrl: stack.rpcUrl,
        chainId: stack.chainId,
        escrow: stack.contracts.paymentChannels,
        payee: stack.contracts.autoPayLLM,
        token: stack.tokens['USDC']?.address ?? '0x',
      },
      privateKey,
    ),
    relayAddress: health.relay,
    payFetchOptions: {
      relayUrl: stack.relayUrl,
      rpcUrl: stack.rpcUrl,
      privateKey,
      stateDir: join(dataDir, 'wallet'),
    },
    fsckOptions: { dataDir: stack.dataDir, rpcUrl: stack.rpcUrl },
    prices: { ...plainPrices(150_000n, 600_000n), cachedPrompt: 75_000n },
    runJob: (job) => runJob(stack, job),
    async stop() {
      await running.stop();
      await chain?.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts a stack, whose "USDC" is a plain token where there is a chain for it. */
async function startOn(chainOfPlainToken: string | undefined, options: StartStackOptions): Promise<RunningStack> {
  if (chainOfPlainToken === undefined) return startStack(options);
  const token = await deployPlainToken(chainOfPlainToken);
  const running = await startStack({ ...options, usdc: token });
  const { contracts, rpcUrl, wallet } = running.stack;
  await fundPlainToken({ rpcUrl, token, wallet: wallet.address, autoPayLLM: contracts.autoPayLLM });
  return running;
}
