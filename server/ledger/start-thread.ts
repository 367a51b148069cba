import { setFlagsFromString } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';

let isSettled = false;

/**
 * Starts a thread of a TypeScript module. Node strips the types of its modules with WebAssembly. V8 compiles a wrapper anew once it was
 * called 1,000 times; of threads that do so at one time, which share their wrappers, one may free what the other has freed, and the whole
 * process aborts (Node 24.21, `V8_Fatal` in `ThreadIsolation::UnregisterWasmAllocation`: about one start in twenty on two busy
 * cores). So from the first thread on, no wrapper is compiled anew.
 */
export function startThread(script: URL, options: WorkerOptions): Worker {
  if (!isSettled) setFlagsFromString('--wasm-wrapper-tiering-budget=1000000000');
  isSettled = true;
  return new Worker(script, options);
}
