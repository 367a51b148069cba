import { loadConfig, type LoadConfigOptions } from './load-config.ts';
import type { RelayConfig } from './relay-config.ts';
import { markOf, type FileMarks } from './watch-files.ts';

/** The files of a configuration, read as often as they change. */
export interface ConfigFiles {
  /** @throws AutoPayError `invalid_configuration` */
  load(): Promise<RelayConfig>;
  /** The files that the last reading named, whatever came of it, each as it was just before it was read. */
  marks(): FileMarks;
}

/** Opens the configuration at `file`; options as loadConfig has them. */
export function createConfigFiles(file: string, options: Omit<LoadConfigOptions, 'onFile'>): ConfigFiles {
  let marks = new Map<string, string>();
  return {
    load() {
      const read = new Map<string, string>();
      marks = read;
      return loadConfig(file, { ...options, onFile: (name) => read.set(name, markOf(name)) });
    },
    marks: () => marks,
  };
}
