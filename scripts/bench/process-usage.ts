import { readdirSync, readFileSync } from 'node:fs';

/** Threads that are reported by themselves, by what they are called in /proc; the others are the engine's and libuv's. */
const named = { MainThread: 'main', ledger: 'ledger', signatures: 'signatures' } as const;

/** CPU time of a process so far, microseconds, by thread. */
export type ThreadUsage = Record<(typeof named)[keyof typeof named] | 'others', number>;

/** CPU time (user + system) that the threads of process `pid` have used. Undefined where the platform has no /proc. */
export function readThreads(pid: number): ThreadUsage | undefined {
  const usage: ThreadUsage = { main: 0, ledger: 0, signatures: 0, others: 0 };
  const folder = `/proc/${pid}/task`;
  try {
    for (const thread of readdirSync(folder)) {
      const name = readFileSync(`${folder}/${thread}/comm`, 'utf8').trim();
      const [nanoseconds] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ');
      usage[name in named ? named[name as keyof typeof named] : 'others'] += Number(nanoseconds) / 1_000;
    }
    return usage;
  } catch {
    return undefined;
  }
}

/** The most memory that process `pid` has had resident so far, bytes. Undefined where the platform has no /proc. */
export function readPeakMemory(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
  } catch {
    return undefined;
  }
}
