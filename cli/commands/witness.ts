import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import pino from 'pino';
import { startWitness } from '../../witness/start-witness.ts';
import { readWitnessConfig } from '../../witness/witness-config.ts';
import { openWitnessKey } from '../../witness/witness-key.ts';
import type { CommandContext } from '../command-context.ts';
import { createReceiptKeyFinder } from '../find-receipt-key.ts';
import { openCommandDeployment } from '../open-command-deployment.ts';
import { formatTable } from '../output.ts';
import { waitForSignal } from '../wait-for-signal.ts';

/** Not below the stack's folder, which `npm start` empties. */
const defaultFolder = join(homedir(), '.autopay', 'witness');

/** What `autopay witness key` was given. */
export interface WitnessKeyOptions {
  folder?: string;
  /** Of a witness that is made by this. */
  name?: string;
}

/** What `autopay witness run` was given. */
export interface WitnessRunOptions extends WitnessKeyOptions {
  /** Default: `witness.yaml` in the folder, where it is there. */
  config?: string;
  host?: string;
  port?: number;
  interval?: number;
  log?: string;
  key?: string;
  rpcUrl?: string;
}

/** Prints the key by which others check this witness's cosignatures; makes the witness first, if it has a name and no key. */
export async function runWitnessKey(context: CommandContext, options: WitnessKeyOptions): Promise<void> {
  const { verifierKey } = await openWitnessKey(keyFileOf(folderOf(options)), options);
  context.print({ json: { verifierKey }, text: `${verifierKey}\n` });
}

/** Runs a witness until SIGTERM or SIGINT. It logs JSON lines to stderr. */
export async function runWitness(context: CommandContext, options: WitnessRunOptions): Promise<void> {
  const folder = folderOf(options);
  const { host, port, interval: intervalSeconds } = options;
  const file = options.config ?? existing(join(folder, 'witness.yaml'));
  const log = await logOf(context, options);
  const config = await readWitnessConfig(file, { host, port, intervalSeconds, ...(log && { log }) });
  const witness = await startWitness({
    ...{ folder, config, cosigner: await openWitnessKey(keyFileOf(folder), options) },
    openChain: async (rpcUrl) => createReceiptKeyFinder(await openChain(context, rpcUrl)),
    log: pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true })),
  });
  const signals = waitForSignal();
  const { url, verifierKey, origins } = witness;
  context.print({
    json: { listening: url, verifierKey, logs: origins },
    text: formatTable([['listening', url], ['key', verifierKey], ...origins.map((origin) => ['log', origin])]),
  });
  await signals;
  await witness.close();
}

function folderOf({ folder }: { folder?: string }): string {
  return folder === undefined ? defaultFolder : resolve(folder);
}

function keyFileOf(folder: string): string {
  return join(folder, 'witness.key');
}

function existing(file: string): string | undefined {
  return existsSync(file) ? file : undefined;
}

/** The one log of the command line. Without a key, a chain vouches for it: the one that is named, or the stack's. */
async function logOf(context: CommandContext, { log: url, key, rpcUrl }: WitnessRunOptions) {
  if (url === undefined && key === undefined) return undefined;
  const chain = rpcUrl ?? (key === undefined ? (await context.stack()).rpcUrl : undefined);
  return {
    ...(url !== undefined && { url }),
    ...(key !== undefined && { key }),
    ...(chain !== undefined && { rpcUrl: chain }),
  };
}

/** The stack's chain has the contracts that the stack names; any other those of addresses/<chainId>.json. */
async function openChain(context: CommandContext, rpcUrl: string) {
  const stack = await context.stack().catch(() => undefined);
  return openCommandDeployment(context, stack?.rpcUrl === rpcUrl ? {} : { rpcUrl });
}
