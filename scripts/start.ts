/** `npm start`: a whole local stack, until Ctrl-C. `npm start -- --help` says more. */
import { parseArgs } from 'node:util';
import { isAddress } from 'viem';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { startStack, type RunningStack, type StartStackOptions } from './stack.ts';

const HELP = `Starts a whole AutoPayLLM on this machine: an L2 chain, the contracts, a provider, the relay and the sidecar.

Usage: npm start -- [options]

  --port N        the relay's port, the sidecar takes N+1; 0 picks free ones (default 4000)
  --data-dir DIR  keys, books, blocks and stack.json (default .autopay/local)
  --rpc-url URL   a chain that exists, instead of a new one in memory (or RPC_URL in the environment)
  --help          this text

The chain in memory starts anew each time, and so does its data folder. With --rpc-url both persist.

Environment
  OPENAI_API_KEY         sells OpenAI's models; without it a simulated provider answers
  OPENAI_BASE_URL        another provider that speaks as OpenAI does
  AUTOPAY_PROXY_TOKEN    what clients of the sidecar have to give as their API key
  AUTOPAY_DEPLOYER_KEY   with --rpc-url: key (0x…) of the account that deploys and pays for gas
  AUTOPAY_USDC           with --rpc-url: address of USDC there; without it a USDC of our own is deployed

Examples
  npm start
  npm start -- --port 5000 --data-dir /tmp/autopay
  AUTOPAY_DEPLOYER_KEY=0x… npm start -- --rpc-url https://sepolia.base.org
`;

function readPort(text: string): number {
  const port = Number(text);
  // The sidecar needs the port after it.
  if (/^\d+$/.test(text) && port < 65_535) return port;
  throw new AutoPayError('invalid_argument', `--port must be 0 to 65534, not '${text}'.`);
}

function readKeyVariable(name: string, value: string | undefined): Hex | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^0x[0-9a-fA-F]{64}$/.test(value)) return value as Hex;
  throw new AutoPayError('invalid_argument', `${name} must be a private key: 0x and 64 hex digits.`);
}

function readAddressVariable(name: string, value: string | undefined): Hex | undefined {
  if (value === undefined || value === '') return undefined;
  if (isAddress(value)) return value;
  throw new AutoPayError('invalid_argument', `${name} must be an address: 0x and 40 hex digits.`);
}

/** Reads arguments and environment; `undefined` if only the help is wanted. */
function readOptions(env: NodeJS.ProcessEnv): StartStackOptions | undefined {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4000' },
      'data-dir': { type: 'string', default: '.autopay/local' },
      'rpc-url': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const rpcUrl = values['rpc-url'] ?? (env['RPC_URL'] === '' ? undefined : env['RPC_URL']);
  if (rpcUrl !== undefined && !/^https?:\/\//.test(rpcUrl)) {
    throw new AutoPayError('invalid_argument', '--rpc-url must be an http or https URL.');
  }
  const deployerKey = readKeyVariable('AUTOPAY_DEPLOYER_KEY', env['AUTOPAY_DEPLOYER_KEY']);
  const usdc = readAddressVariable('AUTOPAY_USDC', env['AUTOPAY_USDC']);
  return {
    port: readPort(values.port),
    dataDir: values['data-dir'],
    ...(rpcUrl === undefined ? {} : { rpcUrl }),
    ...(deployerKey === undefined || rpcUrl === undefined ? {} : { deployerKey }),
    ...(usdc === undefined || rpcUrl === undefined ? {} : { usdc }),
    ...(env['AUTOPAY_PROXY_TOKEN'] ? { proxyToken: env['AUTOPAY_PROXY_TOKEN'] } : {}),
    ...(env['OPENAI_API_KEY'] ? { openAiBaseUrl: env['OPENAI_BASE_URL'] ?? 'https://api.openai.com/v1' } : {}),
  };
}

/** The cheapest model that the relay sells, for the example; a free one only if it sells no other. */
async function findExampleModel(relayUrl: string): Promise<string> {
  const response = await fetch(`${relayUrl}/v1/models`, { signal: AbortSignal.timeout(10_000) });
  const { data } = (await response.json()) as {
    data: { id: string; free: boolean; pricing: { completion: string }[] }[];
  };
  const sold = data.filter((model) => !model.free);
  const price = ({ pricing }: (typeof data)[number]) => BigInt(pricing[0]?.completion ?? 0);
  const [first] = (sold.length > 0 ? sold : data).toSorted((a, b) => Number(price(a) - price(b)));
  if (!first) throw new Error('The relay sells no model; add a route to autopay.yaml.');
  return first.id;
}

function describeStack({ stack, isSimulated }: RunningStack, model: string, options: StartStackOptions): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] });
  const isDefaultFolder = options.dataDir === '.autopay/local';
  const folder = isDefaultFolder ? '' : ` --data-dir ${stack.dataDir}`;
  const provider = isSimulated
    ? 'simulated (its answers say so; set OPENAI_API_KEY to sell real ones)'
    : (options.openAiBaseUrl ?? 'as autopay.yaml says');
  const fields: [string, string][] = [
    ['relay', stack.relayUrl],
    ['sidecar', `${stack.sidecarUrl}  (pays from the demo wallet)`],
    ['chain', `${stack.rpcUrl}  (id ${stack.chainId}${stack.ephemeral ? ', in memory: gone when this stops' : ''})`],
    ['provider', provider],
    ['PaymentChannels', stack.contracts.paymentChannels],
    ['AutoPayLLM', stack.contracts.autoPayLLM],
    ['AuditLog', stack.contracts.auditLog],
    ['USDC', stack.tokens['USDC']?.address ?? ''],
    ['demo wallet', stack.wallet.address],
    ['data', stack.dataDir],
  ];
  const commands: [string, string][] = [
    [`call "Say hello."${folder}`, 'one call, with its charge and receipt'],
    [`channel status${folder}`, 'what is deposited, spent and left'],
    ['--help', 'everything else'],
  ];
  const width = Math.max(...commands.map(([command]) => command.length));
  return `
AutoPayLLM is ready.

${fields.map(([name, value]) => `  ${name.padEnd(16)} ${value}`).join('\n')}

Try it (the sidecar opens a channel, pays and checks the receipt):

  curl ${stack.sidecarUrl}/v1/chat/completions -H 'content-type: application/json' -d '${body}'

Next, in another terminal:

${commands.map(([command, about]) => `  npx --no autopay -- ${command.padEnd(width)}  ${about}`).join('\n')}

Any OpenAI client works with baseURL ${stack.sidecarUrl}/v1. Ctrl-C stops everything.
`;
}

/** Runs until a signal comes or a part ends; the exit code. */
async function run(options: StartStackOptions): Promise<number> {
  const interrupt = new AbortController();
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (!interrupt.signal.aborted) process.stderr.write('\nautopay: stopping\n');
        interrupt.abort();
        resolve();
      });
    }
  });
  let running: RunningStack | undefined;
  try {
    const log = (line: string) => void process.stderr.write(`autopay: ${line}\n`);
    running = await startStack({ ...options, log, signal: interrupt.signal });
    process.stdout.write(describeStack(running, await findExampleModel(running.stack.relayUrl), options));
    const problem = await Promise.race([interrupted, running.died]);
    if (problem === undefined) return 0;
    process.stderr.write(`autopay: ${problem}\nautopay: stopping the rest\n`);
    return 1;
  } catch (error) {
    if (interrupt.signal.aborted) return 0;
    throw error;
  } finally {
    await running?.stop();
  }
}

try {
  const options = readOptions(process.env);
  if (options === undefined) process.stdout.write(HELP);
  // An interrupted deployment would keep the process alive until its requests time out.
  else process.exit(await run(options));
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const hint = error instanceof AutoPayError ? ` (${error.code})` : isUsage ? '\nSee npm start -- --help.' : '';
  process.stderr.write(`autopay: ${error instanceof Error ? error.message : String(error)}${hint}\n`);
  process.exit(1);
}
