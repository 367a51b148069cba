import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { listFixedChanges } from './list-fixed-changes.ts';
import type { RelayConfig } from './relay-config.ts';

/** What `GET /healthz` says of the configuration. Why a file was refused is in the log: it may tell too much. */
export interface ConfigState {
  /** When what is in use was read; ISO 8601. */
  loadedAt: string;
  /** When a file was refused since then; null if none was. */
  refusedAt: string | null;
}

/** Takes over changed configurations. */
export interface Reloader {
  /**
   * Reads the files again, and takes over what they say. Never throws: a configuration that is refused changes nothing, and is logged.
   * Calls at one time are one reading, or two if something may have changed in between.
   */
  reload(): Promise<void>;
  state(): ConfigState;
}

/** What a reloader works with. */
export interface ReloaderOptions {
  /** What is in use. */
  config: RelayConfig;
  /** Reads the files. @throws AutoPayError `invalid_configuration` */
  load: () => Promise<RelayConfig>;
  /** Puts a configuration to use, wholly or, if it throws, not at all. */
  apply: (config: RelayConfig) => Promise<void>;
  /** Called with the configuration that is in use after each reading. */
  onRead: (config: RelayConfig) => void;
  log: Record<'info' | 'warn', (facts: object, message: string) => void> & {
    error(facts: object, message: string): void;
  };
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Makes a reloader. */
export function createReloader(options: ReloaderOptions): Reloader {
  const { apply, load, log, nowMs, onRead } = options;
  let { config } = options;
  const now = () => new Date(nowMs()).toISOString();
  let state: ConfigState = { loadedAt: now(), refusedAt: null };
  let running: Promise<void> | undefined;
  let isStale = false;

  async function read(): Promise<void> {
    try {
      const next = await load();
      refuseFixed(config, next);
      await apply(next);
      config = next;
      state = { loadedAt: now(), refusedAt: null };
      for (const notice of next.notices) log.warn({}, notice);
      log.info({ files: next.files, routes: next.routes.length }, 'the configuration was read again');
    } catch (error) {
      state = { ...state, refusedAt: now() };
      const known =
        error instanceof AutoPayError ? { code: error.code, reason: error.message } : { reason: String(error) };
      log.error(known, 'the new configuration was refused; the old one stays in use');
    }
    onRead(config);
  }

  return {
    reload() {
      isStale = true;
      running ??= (async () => {
        while (isStale) {
          isStale = false;
          await read();
        }
      })().finally(() => (running = undefined));
      return running;
    },
    state: () => state,
  };
}

function refuseFixed(before: RelayConfig, after: RelayConfig): void {
  const paths = listFixedChanges(before, after);
  if (paths.length === 0) return;
  const named = paths.slice(0, 12).join(', ');
  const message = `These settings cannot change while the relay runs: ${named}. Restart it, or put them back.`;
  throw new AutoPayError('invalid_configuration', message);
}
