import { parseArgs } from 'node:util';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { describeError } from './log.ts';
import { restartTuned } from './restart-tuned.ts';

const help = `Usage: node server/main.ts --data-dir DIR [--config FILE] [--port N]

Runs the relay on a data folder: autopay.yaml, keys/relay.key. When it is ready it prints one JSON line,
{"listening":"http://127.0.0.1:PORT","relay":"0x…"}; its log goes to stderr as JSON lines.
SIGTERM or SIGINT lets the calls under way finish and stops it; a second one stops it at once. SIGHUP has the configuration
read again, as a change of its files does.

  --data-dir DIR   the data folder
  --config FILE    a file of LiteLLM or of the blueprint, taken in by autopay.yaml; or another autopay.yaml
  --port N         instead of listen.port; 0 picks a free one
  --help           this text

Environment: AUTOPAY_LOG_LEVEL (default info), AUTOPAY_MASTER_KEY (of LiteLLM's API of keys; default keys/master.key), and
the variables that providers name as apiKeyEnv or walletKeyEnv.
`;

interface Arguments {
  dataDir: string;
  configFile?: string;
  port?: number;
}

/** @returns undefined if only the help is wanted */
function readArguments(argv: readonly string[]): Arguments | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...{ 'data-dir': { type: 'string' }, config: { type: 'string' }, port: { type: 'string' } },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  const { 'data-dir': dataDir, config: configFile, port } = values;
  if (dataDir === undefined) throw new TypeError('--data-dir is missing.');
  const given = { dataDir, ...(configFile !== undefined && { configFile }) };
  if (port === undefined) return given;
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) throw new TypeError('--port has to be 0 to 65535.');
  return { ...given, port: Number(port) };
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

let options: Arguments | undefined;
try {
  options = readArguments(process.argv.slice(2));
} catch (error) {
  fail(`${error instanceof Error ? error.message : String(error)}\n\n${help}`, 2);
}
if (options) {
  restartTuned(options.dataDir);
  // Not before: its modules would be read twice.
  const { runRelayProcess } = await import('./run-relay-process.ts');
  await runRelayProcess(options).catch((error: unknown) => {
    const known =
      error instanceof AutoPayError ? `${error.code}: ${error.message}` : JSON.stringify(describeError(error));
    fail(known, 1);
  });
} else {
  process.stdout.write(help);
}
