import { WireError } from './wire-error.ts';

/** Holds requests until enough of the same name have arrived. */
export interface Barriers {
  /**
   * Resolves when `count` requests wait under `name`, for all of them at once; the name is then free again.
   *
   * @throws {WireError} 504 `sim_barrier_timeout` when too few arrive in time; 400 `invalid_sim_directive` when
   *   others wait under this name for another count; 503 `sim_barrier_limit` when too many names are in use
   */
  arrive(options: { name: string; count: number; signal: AbortSignal }): Promise<void>;
}

/** How long and how much is held. */
export interface BarrierOptions {
  timeoutMs: number;
  maxNames: number;
}

interface Barrier {
  count: number;
  waiting: Set<() => void>;
}

/** Makes a set of barriers. A request whose signal aborts no longer counts. */
export function createBarriers({ timeoutMs, maxNames }: BarrierOptions): Barriers {
  const barriers = new Map<string, Barrier>();
  return {
    arrive: ({ name, count, signal }) => {
      const barrier = barriers.get(name) ?? { count, waiting: new Set<() => void>() };
      if (barrier.count !== count) {
        const message = `Barrier ${name} waits for ${barrier.count} requests, not ${count}. Use one count per name.`;
        throw new WireError({ status: 400, message, code: 'invalid_sim_directive' });
      }
      if (!barriers.has(name) && barriers.size >= maxNames) {
        throw new WireError({ status: 503, message: 'Too many barriers are in use.', code: 'sim_barrier_limit' });
      }
      if (barrier.waiting.size + 1 >= count) {
        barriers.delete(name);
        for (const release of barrier.waiting) release();
        return Promise.resolve();
      }
      barriers.set(name, barrier);
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          barrier.waiting.delete(release);
          if (barrier.waiting.size === 0 && barriers.get(name) === barrier) barriers.delete(name);
        };
        const release = (): void => {
          leave();
          resolve();
        };
        const onAbort = (): void => {
          leave();
          reject(signal.reason as Error);
        };
        const timer = setTimeout(() => {
          const arrived = barrier.waiting.size;
          leave();
          const message = `Barrier ${name}: ${arrived} of ${count} requests arrived within ${timeoutMs} ms.`;
          reject(new WireError({ status: 504, message, type: 'server_error', code: 'sim_barrier_timeout' }));
        }, timeoutMs);
        barrier.waiting.add(release);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}
