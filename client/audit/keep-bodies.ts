import { readSettings } from '../wallet-limits.ts';
import { openBodyStore, type BodyBounds, type BodyStore, type CallBodies } from './body-store.ts';

/** Keeps a call's bodies, where the owner wants that. It never throws: the answer is paid for. */
export type BodyKeeper = (callId: string, bodies: CallBodies) => Promise<void>;

/**
 * @param options.bounds the owner's choice; without it, `keepBodies` of `settings.json` in the wallet's folder decides for each call
 * @param options.onWarning told if bodies that were to be kept could not be
 */
export function createBodyKeeper(options: {
  stateDir: string;
  bounds: BodyBounds | undefined;
  onWarning: (message: string) => void;
}): BodyKeeper {
  const { stateDir, onWarning } = options;
  const warn = (what: string, error: unknown): void =>
    onWarning(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  let known: { bounds: BodyBounds; store: BodyStore } | undefined;
  return async (callId, bodies) => {
    try {
      const bounds = options.bounds ?? (await readSettings(stateDir)).keepBodies;
      if (bounds === undefined) return;
      if (known?.bounds.days !== bounds.days || known.bounds.mebibytes !== bounds.mebibytes) {
        known = { bounds, store: openBodyStore(stateDir, bounds) };
      }
      const { store } = known;
      // The answer waits for its own bodies only.
      if (await store.save(callId, bodies))
        store.prune().catch((error: unknown) => warn('Old bodies were not deleted', error));
    } catch (error) {
      warn(`The bodies of call ${callId} were not kept`, error);
    }
  };
}
