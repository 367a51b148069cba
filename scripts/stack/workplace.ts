import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.ts';
import type { Part } from './spawn-part.ts';

/** What the steps that build a stack share. */
export interface Workplace {
  /** The project. */
  root: string;
  dataDir: string;
  logsDir: string;
  log: (line: string) => void;
  /** Fires when the stack stops, or its start is interrupted: what still runs for it should end. */
  signal: AbortSignal;
  /** The processes that were started, but for the relay. */
  parts: Part<unknown>[];
  /** Takes note of a process, which is then stopped with the stack. */
  keep<T extends Part<unknown>>(part: T): Promise<T>;
}

/** Prepares a claimed data folder for building a stack in it. */
export async function openWorkplace(options: {
  dataDir: string;
  cleanup: Cleanup;
  log: (line: string) => void;
}): Promise<Workplace> {
  const { dataDir, cleanup, log } = options;
  const logsDir = join(dataDir, 'logs');
  await mkdir(logsDir, { recursive: true, mode: 0o700 });
  const parts: Part<unknown>[] = [];
  const stopping = new AbortController();
  await cleanup.add(() => Promise.resolve(stopping.abort()));
  return {
    root: join(dirname(fileURLToPath(import.meta.url)), '../..'),
    dataDir,
    logsDir,
    log,
    signal: stopping.signal,
    parts,
    async keep(part) {
      parts.push(part);
      await cleanup.add(() => part.stop());
      return part;
    },
  };
}
