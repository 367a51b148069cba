#!/usr/bin/env node
/**
 * The `autopay` command. It only finds a Node 24 and hands over to main.ts, so it is plain JavaScript without dependencies and
 * works on whatever Node is there, before anything is installed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveNode24 } from '../scripts/resolve-node.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** @returns {Promise<number>} the exit code */
async function main() {
  if (!existsSync(join(root, 'node_modules', '.package-lock.json'))) {
    process.stderr.write('Nothing is installed here yet: run npm start first.\n');
    return 1;
  }
  const node = await resolveNode24({ log: (line) => process.stderr.write(`autopay: ${line}\n`) });
  const child = spawn(node, [join(root, 'cli', 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal's Ctrl-C reaches the child by itself; a second one would cut its clean-up short.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
