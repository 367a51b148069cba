import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { toText, type CrashPlan } from './crashing-relay.ts';

/** Runs the crashing relay until it prints a line that starts with `until`, kills it with SIGKILL, and returns the line. */
export async function crashAt(until: string, plan: CrashPlan): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./crashing-relay.ts', import.meta.url))], {
    env: { ...process.env, AUTOPAY_TEST_CRASH: toText(plan) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('exit', (_code, signal) => resolve(signal));
  });
  let found = '';
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith(until)) continue;
    found = line;
    child.kill('SIGKILL');
    break;
  }
  const signal = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the relay ended by itself before it said ${until}`);
  return found;
}
