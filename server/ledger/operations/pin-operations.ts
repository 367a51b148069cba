import type { BlockPin, PinProgress, PinResult } from '../pin-ledger.ts';
import type { PinStore } from '../pin-store.ts';

/** The most pins that one list answers. */
const maxListed = 100;

/** The operations of `PinLedger`, by name; each takes one argument. */
export function createPinOperations({ pins }: { pins: PinStore }) {
  return {
    listDuePins({ keeper, nowMs, limit }: { keeper: string; nowMs: number; limit: number }): BlockPin[] {
      const most = Math.min(limit, maxListed);
      const fresh = pins.listNew(keeper, most);
      const due = pins.listDue({ keeper, nowMs, limit: Math.max(most - fresh.length, Math.ceil(most / 2)) });
      return [...due, ...fresh.slice(0, most - due.length)];
    },
    listPins: (keeper: string): BlockPin[] => pins.list(keeper, maxListed),
    recordPin: (result: PinResult): void => pins.put(result),
    removePin: ({ keeper, start }: { keeper: string; start: number }): void => pins.remove(keeper, start),
    readPinProgress: (keepers: readonly string[]): PinProgress[] => keepers.map((keeper) => pins.progress(keeper)),
  };
}
