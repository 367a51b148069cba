import { unwatchFile, watchFile, type StatsListener } from 'node:fs';

/** Watches files for changes. */
export interface FileWatcher {
  /** Watches these from now on, and no others. */
  set(files: readonly string[]): void;
  close(): void;
}

/** Long enough to cost nothing, short enough to be waited for. */
const defaultIntervalMs = 1_000;

/**
 * Looks at files now and then. Notifications of the system would be quicker, but do not come from network and container mounts, nor
 * when a link above the file is exchanged, as Kubernetes does.
 *
 * @param options.onChange called when a file has another content, time or place than before, or is there again; perhaps for each file
 */
export function watchFiles(options: { onChange: () => void; intervalMs?: number }): FileWatcher {
  const { onChange, intervalMs = defaultIntervalMs } = options;
  const listener: StatsListener = (now, before) => {
    const isSame = now.mtimeMs === before.mtimeMs && now.size === before.size && now.ino === before.ino;
    // A file that has gone is about to be replaced, or is missed at the next reading.
    if (!isSame && now.ino !== 0) onChange();
  };
  const watched = new Set<string>();
  const set = (files: readonly string[]) => {
    for (const file of watched) if (!files.includes(file)) stop(file);
    for (const file of files) {
      if (watched.has(file)) continue;
      watched.add(file);
      watchFile(file, { interval: intervalMs, persistent: false }, listener);
    }
  };
  const stop = (file: string) => {
    watched.delete(file);
    unwatchFile(file, listener);
  };
  return { set, close: () => set([]) };
}
