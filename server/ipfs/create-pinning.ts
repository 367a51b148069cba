import { createHash } from 'node:crypto';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BlockStore } from '../audit/block-store.ts';
import { createJob, type Job } from '../chain/create-job.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { RelayConfig } from '../config/relay-config.ts';
import type { BackgroundLedger, StoredBlock } from '../ledger/background-ledger.ts';
import type { PinLedger } from '../ledger/pin-ledger.ts';
import { createIpfsNode } from './ipfs-node.ts';
import { pinToNode } from './pin-to-node.ts';
import { pinToService } from './pin-to-service.ts';
import { createPinningService } from './pinning-service.ts';

/** How far the keepers of the log's blocks are, for the relay's health. */
export interface PinningState {
  /** Of the IPFS node; null if there is none. */
  node: {
    /** Blocks that it does not keep yet. */
    waiting: number;
    /** It keeps every block below this log size. */
    pinnedSize: number;
    /** Why it last failed; null if it did not. */
    failure: string | null;
  } | null;
  services: readonly { name: string; pinnedSize: number; failure: string | null }[];
}

/** Has the blocks of the log kept outside the relay, beside all calls. */
export interface Pinning {
  /** Begins; what was not pinned before is taken up. */
  start(): void;
  /** Ends what is under way; what was not recorded is done again after the next start. */
  stop(): Promise<void>;
  state(): PinningState;
  /**
   * Where anchors have to wait for the node: pins what it lacks, and refuses a block that it does not keep with all before it.
   * @throws AutoPayError `ipfs_unavailable`
   */
  requirePinned: (block: Pick<StoredBlock, 'size'>) => Promise<void>;
}

/** How the keeping of blocks is set up. */
export interface CreatePinningOptions {
  config: Pick<RelayConfig, 'audit'>;
  ledger: PinLedger & Pick<BackgroundLedger, 'lastBlock'>;
  blocks: Pick<BlockStore, 'get'>;
  env: Readonly<Record<string, string | undefined>>;
  log: JobLog;
  nowMs: () => number;
  random?: () => number;
}

/** What one keeper needs. */
interface Keeper<State> {
  job: Job<void>;
  state(): State;
  close(): Promise<void>;
}

type NodeState = NonNullable<PinningState['node']>;
type ServiceState = PinningState['services'][number];

/** How often it is looked whether a service has to be asked something. */
const serviceIntervalMs = 15_000;
/** After failures a keeper is tried this often at least. */
const maxRetryMs = 60_000;

/**
 * Opens the keepers of a configuration; none of them is asked before `start`.
 * @throws AutoPayError `invalid_configuration`
 */
export async function createPinning(options: CreatePinningOptions): Promise<Pinning> {
  const { config, env, ledger } = options;
  const { ipfs } = config.audit;
  const stopping = new AbortController();
  const apiUrl = readApiUrl(ipfs.apiUrl ?? env['IPFS_API_URL']?.trim());
  if (ipfs.required && apiUrl === undefined) {
    const message = 'audit.ipfs.required needs an IPFS node: set audit.ipfs.apiUrl or IPFS_API_URL.';
    throw new AutoPayError('invalid_configuration', message);
  }
  const node = apiUrl === undefined ? null : await createNodeKeeper(options, apiUrl, stopping.signal);
  const services = ipfs.services.map((service) => createServiceKeeper(options, service));
  const keepers: readonly Keeper<unknown>[] = [...(node ? [node] : []), ...services];
  return {
    start: () => keepers.forEach(({ job }) => job.start()),
    async stop() {
      stopping.abort();
      await Promise.all(keepers.map((keeper) => keeper.close()));
      await Promise.all(keepers.map(({ job }) => job.stop()));
    },
    state: () => ({ node: node?.state() ?? null, services: services.map((service) => service.state()) }),
    requirePinned: async ({ size }) => {
      if (!ipfs.required || node === null) return;
      // Its failure is told below, and logged where it recurs.
      await node.job.run().catch(() => undefined);
      const [progress] = await ledger.readPinProgress([node.keeper]);
      const pinnedSize = progress?.pinnedSize ?? 0;
      if (pinnedSize >= size) return;
      const message = `The log is not anchored at ${size}: the IPFS node keeps its blocks up to ${pinnedSize} only, and audit.ipfs.required is set. See why it fails.`;
      throw new AutoPayError('ipfs_unavailable', message);
    },
  };
}

async function createNodeKeeper(
  options: CreatePinningOptions,
  apiUrl: string,
  signal: AbortSignal,
): Promise<Keeper<NodeState> & { keeper: string }> {
  const { blocks, config, env, ledger, log, nowMs, random = Math.random } = options;
  const { authorizationEnv, intervalSeconds, recheckSeconds, timeoutSeconds } = config.audit.ipfs;
  const authorization = authorizationEnv === undefined ? undefined : readSecret(env, authorizationEnv);
  const node = await createIpfsNode({ apiUrl, authorization, timeoutMs: timeoutSeconds * 1_000, signal });
  // Another node starts with nothing, so it has books of its own.
  const keeper = `node:${createHash('sha256').update(apiUrl).digest('hex').slice(0, 16)}`;
  let state: NodeState = { waiting: 0, pinnedSize: 0, failure: null };
  const deps = { keeper, ledger, blocks, node, recheckMs: recheckSeconds * 1_000, nowMs, random, log, signal };
  const tellProgress = async (failure: string | null) => {
    const [progress] = await ledger.readPinProgress([keeper]);
    if (progress) state = { waiting: progress.waiting, pinnedSize: progress.pinnedSize, failure };
  };
  const job = createJob({
    ...{ name: 'ipfs node', intervalMs: intervalSeconds * 1_000, maxRetryMs, log },
    work: () => tellAfter(() => pinToNode(deps), tellProgress),
  });
  return { keeper, job, state: () => state, close: () => Promise.resolve() };
}

function createServiceKeeper(
  { config, env, ledger, log, nowMs }: CreatePinningOptions,
  configured: RelayConfig['audit']['ipfs']['services'][number],
): Keeper<ServiceState> {
  const { name, endpoint, tokenEnv, origins, intervalSeconds } = configured;
  const timeoutMs = config.audit.ipfs.timeoutSeconds * 1_000;
  const service = createPinningService({ endpoint, token: readSecret(env, tokenEnv), origins, timeoutMs });
  const keeper = `service:${name}`;
  let state: ServiceState = { name, pinnedSize: 0, failure: null };
  const deps = { keeper, ledger, service, intervalMs: intervalSeconds * 1_000, nowMs, log };
  const tellProgress = async (failure: string | null) => {
    const pins = await ledger.listPins(keeper);
    const pinnedSize = Math.max(0, ...pins.filter((pin) => pin.state === 'pinned').map(({ size }) => size));
    const refusal = pins.some((pin) => pin.state === 'failed') ? 'the service could not pin it' : null;
    state = { name, pinnedSize, failure: failure ?? refusal };
  };
  const job = createJob({
    ...{ name: `pinning service ${name}`, intervalMs: serviceIntervalMs, maxRetryMs: 10 * maxRetryMs, log },
    work: () => tellAfter(() => pinToService(deps), tellProgress),
  });
  return { job, state: () => state, close: () => service.close() };
}

/** Tells how it went after each run, and then fails as the run did. */
async function tellAfter(work: () => Promise<void>, tell: (failure: string | null) => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await tell(error instanceof AutoPayError ? error.message : 'The relay failed; its log says why.');
    throw error;
  }
  await tell(null);
}

function readApiUrl(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '')
    return text.replace(/\/+$/, '');
  const message =
    'IPFS_API_URL has to be the URL of an IPFS node’s RPC API, such as http://127.0.0.1:5001, without credentials.';
  throw new AutoPayError('invalid_configuration', message);
}

function readSecret(env: CreatePinningOptions['env'], name: string): string {
  const value = env[name]?.trim() ?? '';
  if (/^[\x21-\x7e][\x20-\x7e]*$/.test(value)) return value;
  throw new AutoPayError('invalid_configuration', `${name} has to hold what audit.ipfs names it for.`);
}
