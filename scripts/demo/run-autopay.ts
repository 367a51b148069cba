import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StackFile } from '../stack.ts';
import type { Demo } from './run-demo.ts';

const cli = join(import.meta.dirname, '../../cli/main.ts');

/**
 * Runs a command of `autopay` in a process of its own against a stack, and shows what it prints.
 * @param options.fails whether it has to be refused (exit code 1) instead of done (0).
 * @throws Error if it ends in another way
 */
export async function runAutopay(
  { say, signal }: Pick<Demo, 'say' | 'signal'>,
  stack: StackFile,
  args: readonly string[],
  { fails = false }: { fails?: boolean } = {},
): Promise<void> {
  // Only the wallet's own file counts here, whatever key the environment has for the real one.
  const { AUTOPAY_WALLET_KEY: _, AUTOPAY_WALLET_FILE: __, AUTOPAY_WALLET_PASSWORD: ___, ...env } = process.env;
  const child = spawn(process.execPath, [cli, ...args, '--data-dir', stack.dataDir], {
    env,
    signal,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  say(`   $ autopay ${args.join(' ')}`);
  for (const line of output.trimEnd().split('\n')) say(`     ${line}`);
  if (code !== (fails ? 1 : 0)) throw new Error(`autopay ${args.join(' ')} ended with ${code}`);
}
