/**
 * A whole AutoPayLLM on this machine: chain, contracts, provider, relay and sidecar. `npm start`, the demo, the
 * end-to-end tests and the bench all start it here.
 */
import { join, resolve } from 'node:path';
import { startSidecar } from '../client/sidecar.ts';
import { zeroHash } from 'viem';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { Deployment } from '../protocol/deployment/deployment-schema.ts';
import { addressOfKey } from './stack/address-of-key.ts';
import { claimDataDir, releaseDataDir } from './stack/claim-data-dir.ts';
import { Cleanup } from './stack/cleanup.ts';
import { connectOutsideChain, startOwnChain } from './stack/connect-chain.ts';
import { connectProvider } from './stack/connect-provider.ts';
import { deployAndFund } from './stack/deploy-and-fund.ts';
import { ensureKeys, type StackKeys } from './stack/ensure-keys.ts';
import { requireFreePort } from './stack/find-port.ts';
import { writeStackFile, type StackFile } from './stack/stack-file.ts';
import { startRelayPart } from './stack/start-relay-part.ts';
import { openWorkplace } from './stack/workplace.ts';
import { priceRootOfStack, writeConfig } from './stack/write-config.ts';

export type { StackFile } from './stack/stack-file.ts';

/** How to start a stack. */
export interface StartStackOptions {
  /** Its data; see `claimDataDir` for what may be there already. */
  dataDir: string;
  /** The relay's port; the sidecar takes the next. 0 (the default) picks free ones. */
  port?: number;
  /** When the chain in memory begins, instead of now: its time then runs on from there, and can be moved towards now. */
  chainStart?: Date;
  /** A chain outside, whose data and this folder's then persist; without it a new chain in memory. */
  rpcUrl?: string;
  /** The account that deploys on a chain outside; on development chains Hardhat's first account by default. */
  deployerKey?: Hex;
  /** USDC of a chain outside; without it the real code is deployed as a token of the stack's own. */
  usdc?: Hex;
  /** An OpenAI-compatible provider at this base URL, with the key in OPENAI_API_KEY; without it the simulated one. */
  openAiBaseUrl?: string;
  /** What the sidecar's clients have to give as their API key; without it, any program of this machine may spend. */
  proxyToken?: string;
  /** Added to the relay's environment. */
  relayEnv?: Readonly<Record<string, string>>;
  /** Top-level members of autopay.yaml that replace what is written by default. */
  config?: Readonly<Record<string, unknown>>;
  /** Told what is being done. */
  log?: (line: string) => void;
  /** Interrupts the start; what was started is stopped, and the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A running stack. */
export interface RunningStack {
  /** What stack.json says. */
  stack: StackFile;
  /** Whether its calls are answered by the simulated provider. */
  isSimulated: boolean;
  /** Resolves with a sentence if a part ends though nobody asked it to. */
  died: Promise<string>;
  isRelayRunning(): boolean;
  /** Stops the relay as SIGTERM does: it finishes its calls. */
  stopRelay(): Promise<void>;
  /** Ends the relay as a crash does. */
  killRelay(): Promise<void>;
  /** Starts the relay again, on the same folder and port. */
  startRelay(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Stops everything that was started, the relay first. */
  stop(): Promise<void>;
}

/**
 * Starts a stack and writes `<dataDir>/stack.json` when all of it is ready.
 *
 * @throws AutoPayError `port_taken`, `data_dir_locked`, `invalid_configuration`, `chain_unavailable`; Error if a part does
 *   not start. Whatever was started by then has been stopped.
 */
export async function startStack(options: StartStackOptions): Promise<RunningStack> {
  const cleanup = new Cleanup();
  const { signal } = options;
  try {
    signal?.throwIfAborted();
    const interrupted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return await Promise.race([assemble(options, cleanup), interrupted]);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function assemble(options: StartStackOptions, cleanup: Cleanup): Promise<RunningStack> {
  const { port = 0, log = () => undefined, rpcUrl, deployerKey } = options;
  const dataDir = resolve(options.dataDir);
  // What can be refused is refused before the folder is touched.
  if (port !== 0) {
    await requireFreePort(port, 'relay');
    await requireFreePort(port + 1, 'sidecar');
  }
  const outside = rpcUrl === undefined ? undefined : await connectOutsideChain({ rpcUrl, deployerKey });
  const ephemeral = outside === undefined;
  await claimDataDir({ dataDir, ephemeral });
  await cleanup.add(() => releaseDataDir({ dataDir, ephemeral }));
  const place = await openWorkplace({ dataDir, cleanup, log });

  const chain = outside ?? (await startOwnChain(place, options.chainStart));
  const keys = await ensureKeys(dataDir);
  const provider = await connectProvider(place, options);
  const overrides = options.config ?? {};
  const deployed = await deployAndFund(place, {
    ...{ chain, keys, isLocal: ephemeral, usdc: options.usdc },
    // A folder with an autopay.yaml has its deployment already.
    priceRootOf: (tokens) => (provider === undefined ? zeroHash : priceRootOfStack({ tokens, provider, overrides })),
  });
  if (provider) {
    await writeConfig({
      dataDir,
      port,
      chain: { id: chain.id, rpcUrl: chain.rpcUrl },
      deployed,
      provider,
      overrides,
    });
  }
  log('starting the relay and the sidecar');
  let relay = await startRelayPart({ ...place, port, env: options.relayEnv ?? {} });
  await cleanup.add(() => relay.stop());
  const sidecar = await startSidecar({
    relayUrl: relay.ready.url,
    rpcUrl: chain.rpcUrl,
    port: port === 0 ? 0 : port + 1,
    privateKey: keys.walletKey,
    stateDir: join(dataDir, 'client'),
    ...(options.proxyToken === undefined ? {} : { proxyToken: options.proxyToken }),
  });
  await cleanup.add(() => sidecar.close());

  const urls = { relayUrl: relay.ready.url, sidecarUrl: sidecar.url, rpcUrl: chain.rpcUrl };
  const pids = {
    start: process.pid,
    relay: relay.pid,
    ...Object.fromEntries(place.parts.map(({ name, pid }) => [name, pid])),
  };
  const stack = describeStack({ urls, pids, deployed, keys, dataDir, ephemeral });
  await writeStackFile(stack);

  return {
    stack,
    isSimulated: place.parts.some((part) => part.name === 'simulator'),
    died: Promise.race([relay, ...place.parts].map((part) => part.died)),
    isRelayRunning: () => relay.isRunning(),
    stopRelay: () => relay.stop(),
    killRelay: () => relay.kill(),
    async startRelay(env = {}) {
      relay = await startRelayPart({ ...place, port: Number(new URL(urls.relayUrl).port), env });
      stack.pids['relay'] = relay.pid;
      await writeStackFile(stack);
    },
    stop: () => cleanup.run(),
  };
}

function describeStack(options: {
  urls: Pick<StackFile, 'relayUrl' | 'sidecarUrl' | 'rpcUrl'>;
  pids: Record<string, number>;
  deployed: Deployment;
  keys: StackKeys;
  dataDir: string;
  ephemeral: boolean;
}): StackFile {
  const { deployed, keys, dataDir } = options;
  return {
    version: 1,
    ...options.urls,
    ...deployed,
    wallet: { address: addressOfKey(keys.walletKey), keyFile: keys.walletKeyFile },
    operatorTokenFile: keys.operatorTokenFile,
    blocksDir: join(dataDir, 'blocks'),
    dataDir,
    pids: options.pids,
    ephemeral: options.ephemeral,
  };
}
