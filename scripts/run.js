/**
 * Runs a task of this project: node scripts/run.js <task> [arguments]
 *
 * Makes sure of Node 24, of the dependencies and of the compiled contracts, then starts the task under Node 24 directly
 * (no npx or shell between, so that signals arrive) and exits as it does.
 * Plain JavaScript without dependencies, because it runs on Node 20 before anything is installed.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureContracts, ensureDependencies } from './ensure-installed.js';
import { resolveNode24 } from './resolve-node.js';

/** What can be run. A task with `needs: 'dependencies'` starts without compiled contracts. */
/** @type {Record<string, { file: string, args?: string[], needs?: 'dependencies', about: string }>} */
const TASKS = {
  start: { file: 'scripts/start.ts', about: 'a whole local stack: chain, contracts, provider, relay, sidecar' },
  test: { file: 'scripts/test.ts', about: 'contracts, units and end to end' },
  demo: { file: 'scripts/demo.ts', about: 'two paid calls, collected, booked, anchored and verified' },
  check: { file: 'scripts/check.ts', about: 'format, lint, borders, types, dead code, generated files' },
  'demo:governance': { file: 'scripts/demo-governance.ts', about: 'a model budget changed by vote, and what it stops' },
  'demo:disputes': { file: 'scripts/demo-disputes.ts', about: 'a dispute of each style, from evidence to refund' },
  'bench:gas': {
    file: 'scripts/bench/gas.ts',
    about: 'gas of each operation, and what 1,000 calls cost by each way to pay',
  },
  'bench:payments': {
    file: 'scripts/bench/payments.ts',
    about: 'CPU time of admitting a payment: voucher, API key, x402',
  },
  'bench:audit': {
    file: 'scripts/bench/audit.ts',
    about: 'the audit log: hashing, appending, proving, verifying, and what anchoring costs a call',
  },
  'bench:relay': { file: 'scripts/bench/relay.ts', about: 'throughput and added latency of the relay' },
  coverage: { file: 'scripts/check-coverage.ts', about: 'lines of the contracts that their tests reach' },
  invariants: {
    file: 'scripts/count-invariant-calls.ts',
    about: 'invariants of the contracts, with calls of each handler',
  },
  mutants: { file: 'scripts/mutate-contracts.ts', about: 'mutation testing of the contracts' },
  slither: { file: 'scripts/slither.ts', about: 'static analysis of the contracts (takes the path of slither)' },
  'interop:python': {
    file: 'test/interop/python-client.ts',
    about: "OpenAI's client for Python against a local stack (takes the path of python)",
  },
  format: {
    file: 'node_modules/prettier/bin/prettier.cjs',
    args: ['--write', '.'],
    needs: 'dependencies',
    about: 'formats every file',
  },
  'generate:permit2': {
    file: 'scripts/generate-permit2.ts',
    needs: 'dependencies',
    about: 'compiles Permit2 for local chains, from npm (takes a minute)',
  },
  generate: { file: 'scripts/generate.ts', about: 'writes the generated files (ABIs, vectors, gas snapshots)' },
};

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** @param {string} line */
function log(line) {
  process.stderr.write(`autopay: ${line}\n`);
}

function describeTasks() {
  const lines = Object.entries(TASKS).map(([name, task]) => `  ${name.padEnd(15)} ${task.about}`);
  return `Usage: npm run <task> [-- arguments]   (npm start and npm test work too)\n\n${lines.join('\n')}\n`;
}

/**
 * Runs the task and answers its exit code. A terminal sends Ctrl-C to the whole group, so the task has it already;
 * signals to this process alone are passed on. Either way this waits until the task has cleaned up.
 *
 * @param {string} node
 * @param {string[]} args
 * @returns {Promise<number>}
 */
function runTask(node, args) {
  const path = `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`;
  const child = spawn(node, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

async function main() {
  const [name = '', ...args] = process.argv.slice(2);
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (task === undefined) {
    process.stderr.write(`${name === '' ? '' : `There is no task '${name}'.\n`}${describeTasks()}`);
    return 2;
  }
  const node = await resolveNode24({ log });
  await ensureDependencies({ node, root, log });
  if (task.needs !== 'dependencies') await ensureContracts({ node, root, log });
  return runTask(node, [join(root, task.file), ...(task.args ?? []), ...args]);
}

try {
  process.exitCode = await main();
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
