import { readFileSync } from 'node:fs';

/** Kernel clock ticks a second on Linux, as user space sees them (USER_HZ). */
const ticksPerSecond = 100;

/**
 * Microseconds of CPU (user + system, all threads) that process `pid` has used so far.
 * Undefined where the platform has no /proc.
 */
export function processCpuUs(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
  } catch {
    return undefined;
  }
}
