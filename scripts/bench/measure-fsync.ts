import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** The disk's own median time, in microseconds, to make 4 KiB durable in `folder`: what no durable commit can beat. */
export function measureFsync(folder: string, rounds = 200): number {
  const scratch = mkdtempSync(join(folder, 'fsync-'));
  const descriptor = openSync(join(scratch, 'probe'), 'w');
  try {
    const page = Buffer.alloc(4096, 1);
    const times = Array.from({ length: rounds }, () => {
      const start = process.hrtime.bigint();
      writeSync(descriptor, page);
      fsyncSync(descriptor);
      return Number(process.hrtime.bigint() - start) / 1000;
    });
    times.sort((a, b) => a - b);
    return times[Math.floor(rounds / 2)] ?? 0;
  } finally {
    closeSync(descriptor);
    rmSync(scratch, { recursive: true });
  }
}
