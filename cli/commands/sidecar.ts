import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import pino from 'pino';
import { addressOfPrivateKey, parsePrivateKey } from '../../protocol/bytes/secp256k1.ts';
import type { WalletOptions } from '../../client/open-wallet.ts';
import { startSidecar } from '../../client/sidecar.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { openCommandDeployment } from '../open-command-deployment.ts';
import { defaultDataDir } from '../read-stack.ts';
import { formatTable } from '../output.ts';
import { readWalletKey } from '../read-wallet-key.ts';
import { waitForSignal } from '../wait-for-signal.ts';

/** How long calls under way may go on after the first signal. */
const graceMs = 30_000;

/** Levels as uvicorn's servers call them, BlockRun's proxy among them, with pino's. */
const pinoLevels = {
  critical: 'fatal',
  error: 'error',
  warning: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'trace',
} as const;

/** What `autopay sidecar` was given. */
export interface SidecarCommandOptions {
  host: string;
  port: number;
  /** A relay, instead of the stack's; it may have a path. */
  apiUrl?: string;
  /** With `apiUrl`: a JSON-RPC endpoint of that relay's chain. */
  rpcUrl?: string;
  logLevel: keyof typeof pinoLevels;
  /** Days for which prompts and answers are kept; without it, `keepBodies` of settings.json decides. */
  keepBodies?: number;
}

/**
 * Runs a sidecar until SIGTERM or SIGINT; calls under way may then go on for half a minute, unless a second signal comes. It logs JSON
 * lines to stderr: requests, charges and warnings; no secrets, no prompts.
 */
export async function runSidecar(context: CommandContext, options: SidecarCommandOptions): Promise<void> {
  const { host, port, logLevel } = options;
  const level = pinoLevels[logLevel];
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const { apiUrl, rpcUrl } = options;
  if (apiUrl === undefined && rpcUrl !== undefined) {
    throw new AutoPayError('invalid_argument', '--rpc-url goes with --api-url: the relay of the stack has its chain.');
  }
  const place = apiUrl === undefined ? await placeOfStack(context) : await placeOf(context, { apiUrl, rpcUrl });
  const proxyToken = process.env['AUTOPAY_PROXY_TOKEN'];
  const sidecar = await startSidecar({
    ...place,
    ...{ host, port, log },
    ...(proxyToken ? { proxyToken } : {}),
    ...(options.keepBodies === undefined ? {} : { keepBodies: { days: options.keepBodies } }),
    onWarning: (message) => log.warn(message),
    onPayment: ({ url, chainId, token, amount, state }) => log.info({ url, chainId, token, amount, state }, 'payment'),
    onReceipt: ({ callId, model, amount, problems }) => log.info({ callId, model, amount, problems }, 'receipt'),
  });
  const address = addressOfPrivateKey(parsePrivateKey(place.privateKey));
  const signals = waitForSignal();
  context.print({
    json: { listening: sidecar.url, relay: place.relayUrl, address },
    text: formatTable([
      ['listening', sidecar.url],
      ['clients', `take ${sidecar.url}/v1 as base URL`],
      ['routes', `${sidecar.url}/docs`],
      ['pays', `${place.relayUrl} from ${address}`],
      // Its limits are others than the stack's.
      ...(apiUrl === undefined ? [] : [['limits', `autopay limits set --data-dir ${dirname(place.stateDir)}`]]),
    ]),
  });
  await signals;
  await Promise.race([sidecar.close({ graceMs }), waitForSignal()]);
  await sidecar.close();
}

/** The stack's relay, chain and contracts, and its wallet, whose state the commands share. */
async function placeOfStack(context: CommandContext): Promise<WalletOptions> {
  const { relayUrl, rpcUrl, contracts, wallet, dataDir } = await context.stack();
  const privateKey = await readWalletKey({ keyFile: wallet.keyFile });
  return { relayUrl, rpcUrl, contracts, privateKey, stateDir: join(dataDir, 'client') };
}

/**
 * A relay that is not of a stack. With `--rpc-url` the contracts of addresses/<chainId>.json are trusted, and no others; without it
 * those that the relay names, and only channels that are open already, or payments that need no transaction, can pay.
 */
async function placeOf(
  context: CommandContext,
  { apiUrl, rpcUrl }: { apiUrl: string; rpcUrl?: string | undefined },
): Promise<WalletOptions> {
  const url = URL.parse(apiUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new AutoPayError('invalid_argument', '--api-url takes a URL, such as https://relay.example.com.');
  }
  const chain =
    rpcUrl === undefined ? {} : { rpcUrl, contracts: (await openCommandDeployment(context, { rpcUrl })).contracts };
  // npm start empties the stack's folder, and with it the record of other relays' channels.
  const folder = context.dataDir === defaultDataDir ? join(homedir(), '.autopay') : context.dataDir;
  const stateDir = join(folder, 'client');
  return { relayUrl: apiUrl, ...chain, privateKey: await readWalletKey({}), stateDir };
}
