import { fromHex } from './hex.ts';

const max128 = (1n << 128n) - 1n;

/**
 * Writes one ABI-encoded tuple (Solidity ABI specification, "Formal Specification of the Encoding"): a head of 32-byte
 * words and a tail for dynamic values. Far faster than a general encoder, which a receipt per call needs;
 * the vectors hold it to the general one.
 */
export class AbiWriter {
  readonly #head: Buffer;
  readonly #tails: Buffer[] = [];
  #word = 0;
  #tailLength = 0;

  /** @param words number of head words of the tuple. */
  constructor(words: number) {
    this.#head = Buffer.alloc(words * 32);
  }

  /** An unsigned integer that fits 53 bits (uint8 … uint64 of our types: counts and milliseconds). */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned safe integer: ${value}`);
    const end = (this.#word += 1) * 32;
    this.#head.writeUInt32BE(Math.floor(value / 0x1_0000_0000), end - 8);
    this.#head.writeUInt32BE(value % 0x1_0000_0000, end - 4);
    return this;
  }

  /** A uint128 (or smaller). */
  uint128(value: bigint): this {
    if (value < 0n || value > max128) throw new RangeError(`not a uint128: ${value}`);
    const end = (this.#word += 1) * 32;
    this.#head.writeBigUInt64BE(value >> 64n, end - 16);
    this.#head.writeBigUInt64BE(value & 0xffffffffffffffffn, end - 8);
    return this;
  }

  /** A uint256. */
  uint256(value: bigint): this {
    if (value < 0n || value >> 256n !== 0n) throw new RangeError(`not a uint256: ${value}`);
    const start = this.#word * 32;
    this.#word += 1;
    for (let index = 0; index < 4; index += 1) {
      this.#head.writeBigUInt64BE((value >> BigInt(192 - 64 * index)) & 0xffffffffffffffffn, start + 8 * index);
    }
    return this;
  }

  /** An address: 20 bytes, right-aligned. */
  address(value: string): this {
    const bytes = fromHex(value, 20);
    bytes.copy(this.#head, (this.#word += 1) * 32 - 20);
    return this;
  }

  /** bytesN: left-aligned. */
  fixedBytes(value: Uint8Array, lengthBytes: number): this {
    if (value.length !== lengthBytes) throw new RangeError(`expected ${lengthBytes} bytes, got ${value.length}`);
    this.#head.set(value, this.#word * 32);
    this.#word += 1;
    return this;
  }

  /** A dynamic value that is encoded already (its length word included where its type has one). */
  dynamic(encoded: Buffer): this {
    this.number(this.#head.length + this.#tailLength);
    this.#tails.push(encoded);
    this.#tailLength += encoded.length;
    return this;
  }

  /** `bytes`. */
  bytes(value: Uint8Array): this {
    const padded = Buffer.alloc(32 + Math.ceil(value.length / 32) * 32);
    padded.writeUInt32BE(value.length, 28);
    padded.set(value, 32);
    return this.dynamic(padded);
  }

  /** `string`, UTF-8. */
  string(value: string): this {
    const length = Buffer.byteLength(value, 'utf8');
    const padded = Buffer.alloc(32 + Math.ceil(length / 32) * 32);
    padded.writeUInt32BE(length, 28);
    padded.write(value, 32, 'utf8');
    return this.dynamic(padded);
  }

  /** `bytes32[]`. */
  bytes32Array(values: readonly Uint8Array[]): this {
    const encoded = Buffer.alloc(32 * (values.length + 1));
    encoded.writeUInt32BE(values.length, 28);
    values.forEach((value, index) => {
      if (value.length !== 32) throw new RangeError(`expected 32 bytes, got ${value.length}`);
      encoded.set(value, 32 * (index + 1));
    });
    return this.dynamic(encoded);
  }

  /** The tuple's encoding, without the offset word that stands before it as a function argument. */
  finish(): Buffer {
    if (this.#word * 32 !== this.#head.length) throw new RangeError('the tuple has another number of head words');
    return Buffer.concat([this.#head, ...this.#tails]);
  }
}

const offset32 = Buffer.alloc(32);
offset32.writeUInt32BE(32, 28);

/** `abi.encode` of one dynamic struct: its encoding behind the offset word 0x20. */
export function asOnlyArgument(encodedTuple: Buffer): Buffer {
  return Buffer.concat([offset32, encodedTuple]);
}
