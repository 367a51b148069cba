import { parseArgs } from 'node:util';
import type { SimulatorOptions } from './create-simulator.ts';
import { createSimulator } from './create-simulator.ts';

const HELP = `The simulated provider of AutoPayLLM: OpenAI's chat completions, deterministic, with settable faults.

Usage: node simulator/main.ts [--port N] [--host ADDRESS] [--clock hash|system]

  --port N        port to listen on; 0 picks a free one (default 0)
  --host ADDRESS  address to listen on (default 127.0.0.1)
  --clock KIND    "created" in answers: hash derives it from the request, system takes the time (default hash)

SIMULATOR_API_KEY in the environment makes it demand that key. When ready it prints {"listening": URL}.
GET /sim/help on that URL lists what a request may ask for.
`;

function fail(message: string): never {
  process.stderr.write(`simulator: ${message}\n`);
  process.exit(1);
}

function readArguments(): { port: number; host: string; options: SimulatorOptions } {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      host: { type: 'string', default: '127.0.0.1' },
      clock: { type: 'string', default: 'hash' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) fail(`--port must be 0 to 65535, not '${values.port}'.`);
  if (values.clock !== 'hash' && values.clock !== 'system')
    fail(`--clock must be hash or system, not '${values.clock}'.`);
  const apiKey = process.env.SIMULATOR_API_KEY;
  const options: SimulatorOptions = {
    ...(apiKey ? { apiKey } : {}),
    ...(values.clock === 'system' ? { nowMs: Date.now } : {}),
  };
  return { port, host: values.host, options };
}

try {
  const { port, host, options } = readArguments();
  const simulator = createSimulator(options);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void simulator.close());
  }
  const listening = await simulator.listen(port, host);
  process.stdout.write(`${JSON.stringify({ listening })}\n`);
} catch (error) {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const message = error instanceof Error ? error.message : String(error);
  fail(taken ? `${message}. Choose another --port, or 0 for a free one.` : message);
}
