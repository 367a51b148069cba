import { setFlagsFromString } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';

let isSettled = false;

/**
 * Starts a thread of a TypeScript module. Node strips the types of its modules with WebAssembly. V8 compiles a wrapper anew once it was
 * called 1,000 times; of threads that do so at one time, which share their wrappers, one may free what the other has freed, and the whole
 * process aborts (Node 24.21, `V8_Fatal` in `ThreadIsolation::UnregisterWasmAllocation`: about one start in twenty on two busy
 * cores). So from the first thread on, no wrapper is compiled anew.
 *
 * Threads also get young generations of three times 2 MB, whatever the main thread's is: it has its own by then. Little of what they make lives
 * longer than a message, so that collecting it oftener takes no more CPU, and the ledger's thread alone would take 12 MB more.
 */
export function startThread(script: URL, options: WorkerOptions): Worker {
  if (!isSettled) {
    setFlagsFromString('--wasm-wrapper-tiering-budget=1000000000');
    setFlagsFromString('--max-semi-space-size=2');
  }
  isSettled = true;
  return new Worker(script, options);
}
