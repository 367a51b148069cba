import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

const require = createRequire(import.meta.url);

/** How much output is kept, in characters; the end tells most. */
const MAX_OUTPUT = 1_000_000;

export interface RunCommandOptions {
  /** Show the output as it comes, besides keeping it. */
  isShown: boolean;
  env?: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface CommandResult {
  /** 0 if it succeeded. */
  code: number;
  /** What it wrote to both outputs. */
  output: string;
  durationMs: number;
}

/** The file of a package's command, to be run by this Node. */
export function binOf(packageName: string, bin: string): string {
  const manifest = join(root, 'node_modules', packageName, 'package.json');
  const { bin: bins } = require(manifest) as { bin: string | Record<string, string> };
  const file = typeof bins === 'string' ? bins : bins[bin];
  if (file === undefined) throw new Error(`${packageName} has no command ${bin}`);
  return join(dirname(manifest), file);
}

/** Runs a JavaScript or TypeScript file under this Node and waits until it ends. An interrupt ends it too. */
export function runCommand(args: readonly string[], options: RunCommandOptions): Promise<CommandResult> {
  const startedAt = Date.now();
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const take = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    if (options.isShown) stream.write(chunk);
  };
  child.stdout.on('data', take(process.stdout));
  child.stderr.on('data', take(process.stderr));
  const interrupt = (signal: NodeJS.Signals): boolean => child.kill(signal);
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  return new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output, durationMs: Date.now() - startedAt }));
  }).finally(() => process.off('SIGINT', interrupt).off('SIGTERM', interrupt));
}
