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
   * Calls at one time are one reading, or two if something may have changed in between. What was refused for what its files do not say,
   * such as prices that no vote has put into force yet, is read again now and then.
   */
  reload(): Promise<void>;
  /** Reads nothing again by itself. */
  close(): void;
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
  /** Called after each reading, whatever came of it. */
  onRead: () => void;
  log: Record<'info' | 'warn', (facts: object, message: string) => void> & {
    error(facts: object, message: string): void;
  };
  /** Unix milliseconds. */
  nowMs: () => number;
  /** How often a configuration is tried again that was refused for what is not in its files. */
  retryMs?: number;
}

/** A vote takes days to come into force, a chain minutes to be there again. */
const defaultRetryMs = 60_000;

/** Makes a reloader. */
export function createReloader(options: ReloaderOptions): Reloader {
  const { apply, load, log, nowMs, onRead, retryMs = defaultRetryMs } = options;
  let { config } = options;
  const now = () => new Date(nowMs()).toISOString();
  let state: ConfigState = { loadedAt: now(), refusedAt: null };
  let running: Promise<void> | undefined;
  let isStale = false;
  let isClosed = false;
  let retry: NodeJS.Timeout | undefined;
  /** Why the last one was refused; null if it was not. */
  let refusal: string | null = null;

  async function read(): Promise<void> {
    clearTimeout(retry);
    try {
      const next = await load();
      refuseFixed(config, next);
      await apply(next);
      config = next;
      refusal = null;
      state = { loadedAt: now(), refusedAt: null };
      for (const notice of next.notices) log.warn({}, notice);
      log.info({ files: next.files, routes: next.routes.length }, 'the configuration was read again');
    } catch (error) {
      state = { ...state, refusedAt: now() };
      const known =
        error instanceof AutoPayError ? { code: error.code, reason: error.message } : { reason: String(error) };
      // Said once, however often it is tried again.
      if (known.reason !== refusal) log.error(known, 'the new configuration was refused; the old one stays in use');
      refusal = known.reason;
      const isOfFiles = error instanceof AutoPayError && error.code === 'invalid_configuration';
      if (!isOfFiles && !isClosed) retry = setTimeout(() => void reload(), retryMs).unref();
    }
    onRead();
  }

  function reload(): Promise<void> {
    isStale = true;
    running ??= (async () => {
      while (isStale && !isClosed) {
        isStale = false;
        await read();
      }
    })().finally(() => (running = undefined));
    return running;
  }

  return {
    reload() {
      // Whoever asks is told why, again.
      refusal = null;
      return reload();
    },
    close() {
      isClosed = true;
      clearTimeout(retry);
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
