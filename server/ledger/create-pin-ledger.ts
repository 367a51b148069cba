import type { ChainWriter } from './group-worker.ts';
import type { PinLedger } from './pin-ledger.ts';

/** The main thread's side of the books of where blocks are kept. */
export function createPinLedger(worker: ChainWriter): PinLedger {
  return {
    listDuePins: (options) => worker.call('listDuePins', options),
    listPins: (keeper) => worker.call('listPins', keeper),
    recordPin: (result) => worker.call('recordPin', result),
    removePin: (pin) => worker.call('removePin', pin),
    readPinProgress: (keepers) => worker.call('readPinProgress', keepers),
  };
}
