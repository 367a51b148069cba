import { statSync } from 'node:fs';
import { setInterval } from 'node:timers';

/** Files, each with what it was known by (`markOf`) when it was read. */
export type FileMarks = ReadonlyMap<string, string>;

/** Watches files for changes. */
export interface FileWatcher {
  /** Watches these from now on, and no others. What has changed since they were marked is told of too. */
  set(files: FileMarks): void;
  close(): void;
}

/** Long enough to cost nothing, short enough to be waited for. */
const defaultIntervalMs = 1_000;

/** Place, size and time of a file; empty if there is none. Other contents have another mark. */
export function markOf(file: string): string {
  try {
    const { ino, mtimeNs, size } = statSync(file, { bigint: true });
    return `${ino}:${size}:${mtimeNs}`;
  } catch {
    return '';
  }
}

/**
 * Looks at files now and then. Notifications of the system would be quicker, but do not come from network and container mounts, nor
 * when a link above the file is exchanged, as Kubernetes does.
 *
 * @param options.onChange called when files have another content, time or place than before, or are there again; once for all of them
 */
export function watchFiles(options: { onChange: () => void; intervalMs?: number }): FileWatcher {
  const { onChange, intervalMs = defaultIntervalMs } = options;
  const known = new Map<string, string>();
  const look = () => {
    const changed = [...known].filter(([file, before]) => {
      const now = markOf(file);
      // A file that has gone is about to be replaced, or is missed at the next reading.
      if (now === '' || now === before) return false;
      known.set(file, now);
      return true;
    });
    if (changed.length > 0) onChange();
  };
  const timer = setInterval(look, intervalMs).unref();
  return {
    set(files) {
      known.clear();
      for (const [file, mark] of files) known.set(file, mark);
    },
    close: () => clearInterval(timer),
  };
}
