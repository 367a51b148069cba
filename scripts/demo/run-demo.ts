import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningStack } from '../stack.ts';

/** What a demo works with. */
export interface Demo {
  /** A folder of its own, which is removed at the end. */
  folder: string;
  /** Fires when the demo is interrupted. */
  signal: AbortSignal;
  /** Prints a line. */
  say: (line: string) => void;
  /** Runs a step, so that a failure can say which it was. */
  step: <T>(name: string, action: () => Promise<T>) => Promise<T>;
  /** Takes note of the stack, which is stopped at the end. */
  keep: (stack: RunningStack) => void;
}

/**
 * Runs a demo to its end and ends the process: with 0, or with 1 and the name of the step that failed. Whatever it started
 * is stopped before.
 */
export async function runDemo(demonstrate: (demo: Demo) => Promise<void>): Promise<never> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupt.abort(new Error(`interrupted by ${signal}`)));
  }
  const startedAt = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'autopay-demo-'));
  let running: RunningStack | undefined;
  let stepNumber = 0;
  let stepName = '';
  const step: Demo['step'] = async (name, action) => {
    stepNumber += 1;
    stepName = name;
    const stepStartedAt = Date.now();
    say(`\n${stepNumber}. ${name}`);
    const result = await action();
    say(`   (${((Date.now() - stepStartedAt) / 1000).toFixed(1)} s)`);
    return result;
  };
  try {
    const interrupted = new Promise<never>((_, reject) => {
      interrupt.signal.addEventListener('abort', () => reject(interrupt.signal.reason as Error));
    });
    const demo: Demo = { folder, signal: interrupt.signal, say, step, keep: (stack) => (running = stack) };
    await Promise.race([demonstrate(demo), interrupted]);
    say(`\nAll ${stepNumber} steps passed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
  } catch (error) {
    process.stderr.write(
      `\nstep ${stepNumber} (${stepName}) failed: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  } finally {
    await running?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  // What was interrupted may still wait for answers that will not come.
  process.exit();
}
