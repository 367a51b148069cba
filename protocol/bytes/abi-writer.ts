import { fromHex } from './hex.ts';

const max128 = (1n << 128n) - 1n;

/**
 * Writes one ABI-encoded tuple (Solidity ABI specification, "Formal Specification of the Encoding"): a head of 32-byte
 * words and a tail for dynamic values. Far faster than a general encoder, which a receipt per call needs;
 * the vectors hold it to the general one.
 */
export class AbiWriter {
  /** The head, and the tail as far as it is known. */
  #bytes: Buffer;
  readonly #headEnd: number;
  #word = 0;
  #end: number;

  /**
   * @param words number of head words of the tuple
   * @param tailBytes how long the tail will be; if it is not known, it grows
   */
  constructor(words: number, tailBytes = 0) {
    this.#headEnd = words * 32;
    this.#end = this.#headEnd;
    this.#bytes = zeros(this.#headEnd + tailBytes);
  }

  /** An unsigned integer that fits 53 bits (uint8 … uint64 of our types: counts and milliseconds). */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned safe integer: ${value}`);
    const end = (this.#word += 1) * 32;
    this.#bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), end - 8);
    this.#bytes.writeUInt32BE(value % 0x1_0000_0000, end - 4);
    return this;
  }

  /** A uint128 (or smaller). */
  uint128(value: bigint): this {
    if (value < 0n || value > max128) throw new RangeError(`not a uint128: ${value}`);
    const end = (this.#word += 1) * 32;
    this.#bytes.writeBigUInt64BE(value >> 64n, end - 16);
    this.#bytes.writeBigUInt64BE(value & 0xffffffffffffffffn, end - 8);
    return this;
  }

  /** A uint256. */
  uint256(value: bigint): this {
    if (value < 0n || value >> 256n !== 0n) throw new RangeError(`not a uint256: ${value}`);
    const start = this.#word * 32;
    this.#word += 1;
    for (let index = 0; index < 4; index += 1) {
      this.#bytes.writeBigUInt64BE((value >> BigInt(192 - 64 * index)) & 0xffffffffffffffffn, start + 8 * index);
    }
    return this;
  }

  /** An address: 20 bytes, right-aligned. */
  address(value: string): this {
    this.#writeHex(value, (this.#word += 1) * 32 - 20, 20);
    return this;
  }

  /** bytesN: left-aligned. */
  fixedBytes(value: Uint8Array, lengthBytes: number): this {
    if (value.length !== lengthBytes) throw new RangeError(`expected ${lengthBytes} bytes, got ${value.length}`);
    this.#bytes.set(value, this.#word * 32);
    this.#word += 1;
    return this;
  }

  /** bytes32 of 0x-hex. @throws AutoPayError as `fromHex` */
  bytes32(value: string): this {
    this.#writeHex(value, this.#word * 32, 32);
    this.#word += 1;
    return this;
  }

  /** A dynamic value that is encoded already (its length word included where its type has one). */
  dynamic(encoded: Buffer): this {
    this.#bytes.set(encoded, this.#startTail(encoded.length));
    return this;
  }

  /** `bytes`. */
  bytes(value: Uint8Array): this {
    const start = this.#startTail(paddedBytes(value.length));
    this.#bytes.writeUInt32BE(value.length, start + 28);
    this.#bytes.set(value, start + 32);
    return this;
  }

  /** `string`, UTF-8. */
  string(value: string): this {
    const length = Buffer.byteLength(value, 'utf8');
    const start = this.#startTail(paddedBytes(length));
    this.#bytes.writeUInt32BE(length, start + 28);
    this.#bytes.write(value, start + 32, 'utf8');
    return this;
  }

  /** `bytes32[]`. */
  bytes32Array(values: readonly Uint8Array[]): this {
    const start = this.#startTail(32 * (values.length + 1));
    this.#bytes.writeUInt32BE(values.length, start + 28);
    values.forEach((value, index) => {
      if (value.length !== 32) throw new RangeError(`expected 32 bytes, got ${value.length}`);
      this.#bytes.set(value, start + 32 * (index + 1));
    });
    return this;
  }

  /** The tuple's encoding, without the offset word that stands before it as a function argument. */
  finish(): Buffer {
    if (this.#word * 32 !== this.#headEnd) throw new RangeError('the tuple has another number of head words');
    if (this.#end !== this.#bytes.length) throw new RangeError('the tuple has another length of its tail');
    return this.#bytes;
  }

  /** Points the next word of the head to the next value of the tail, and makes room for that. */
  #startTail(length: number): number {
    const start = this.#end;
    this.number(start);
    this.#end += length;
    if (this.#end > this.#bytes.length) {
      const known = this.#bytes;
      this.#bytes = zeros(this.#end);
      this.#bytes.set(known);
    }
    return start;
  }

  /** Hex that is written where it belongs; what is wrong with it is for `fromHex` to say. */
  #writeHex(value: string, start: number, lengthBytes: number): void {
    const isHex = value.length === 2 + 2 * lengthBytes && value.startsWith('0x');
    if (isHex && this.#bytes.write(value.slice(2), start, 'hex') === lengthBytes) return;
    this.#bytes.set(fromHex(value, lengthBytes), start);
  }
}

/** Of Node's pool: `Buffer.alloc` takes a block of memory for each, which costs more than what is written there. */
function zeros(lengthBytes: number): Buffer {
  return Buffer.allocUnsafe(lengthBytes).fill(0);
}

/** How long a dynamic value of this many bytes is, its length word included. */
export function paddedBytes(lengthBytes: number): number {
  return 32 + Math.ceil(lengthBytes / 32) * 32;
}

const offset32 = Buffer.alloc(32);
offset32.writeUInt32BE(32, 28);

/** `abi.encode` of one dynamic struct: its encoding behind the offset word 0x20. */
export function asOnlyArgument(encodedTuple: Buffer): Buffer {
  return Buffer.concat([offset32, encodedTuple]);
}
