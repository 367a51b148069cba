import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A running yardstick. */
export interface PassThrough {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Starts a pass-through proxy in a process of its own. */
export async function startPassThrough(kind: 'bare' | 'express', upstream: string): Promise<PassThrough> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('pass-through.ts', import.meta.url)), kind, upstream], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { listening } = JSON.parse(line) as { listening: string };
  return {
    url: listening,
    pid: child.pid ?? 0,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
