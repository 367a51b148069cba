/**
 * The Solidity compiler, made fit for large inputs. Its own `ccall` copies the whole input, at four bytes a character, onto
 * a stack of 5 MiB (solc 0.8.28, emscripten): beyond 1.3 million characters it dies of "memory access out of bounds". Here
 * the input goes onto the heap, by the allocator that solc exports for it; `solidity_reset` frees it.
 *
 * And it is made faster: whatever may throw in solc is called through JavaScript, which asks the table of WebAssembly for
 * the function each time, a third of a compilation. What was asked for once is kept here, as later versions of emscripten do.
 */
/** @typedef {{ get(index: number): unknown, set(index: number, ...value: unknown[]): void }} FunctionTable */
/** @type {FunctionTable} */
const table = Reflect.get(globalThis, 'WebAssembly').Table.prototype;
const { get, set } = table;
/** @type {WeakMap<FunctionTable, unknown[]>} */
const kept = new WeakMap();

table.get = function (index) {
  let functions = kept.get(this);
  if (functions === undefined) kept.set(this, (functions = []));
  return (functions[index] ??= get.call(this, index));
};
table.set = function (index, ...value) {
  delete kept.get(this)?.[index];
  set.call(this, index, ...value);
};

// @ts-expect-error: solc has no types for it.
const soljson = require('solc/soljson.js');

const { cwrap, UTF8ToString, stringToUTF8 } = soljson;

/** @type {(name: string, ...rest: unknown[]) => (...args: any[]) => unknown} */
soljson.cwrap = (name, ...rest) => {
  if (name !== 'solidity_compile') return cwrap(name, ...rest);
  return (/** @type {string} */ input, /** @type {number} */ callback, /** @type {number} */ context) => {
    const sizeBytes = Buffer.byteLength(input) + 1;
    const pointer = soljson._solidity_alloc(sizeBytes);
    stringToUTF8(input, pointer, sizeBytes);
    return UTF8ToString(soljson._solidity_compile(pointer, callback, context));
  };
};

module.exports = soljson;
