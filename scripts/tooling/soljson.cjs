/**
 * The Solidity compiler, made fit for large inputs. Its own `ccall` copies the whole input, at four bytes a character, onto
 * a stack of 5 MiB (solc 0.8.28, emscripten): beyond 1.3 million characters it dies of "memory access out of bounds". Here
 * the input goes onto the heap, by the allocator that solc exports for it; `solidity_reset` frees it.
 */
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
