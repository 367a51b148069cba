import { toHex, type Hex } from './hex.ts';

/**
 * Reads one ABI-encoded tuple whose dynamic values are `bytes`, `string` and `bytes32[]`. Every offset and length is
 * checked against the data, so hostile bytes end in a RangeError; whether the encoding is the canonical one is for the
 * caller to check, by encoding again.
 */
export class AbiReader {
  readonly #data: Buffer;
  #at = 0;

  private constructor(data: Buffer) {
    this.#data = data;
  }

  /** The tuple behind `abi.encode` of one dynamic struct: an offset word of 0x20, then the tuple. */
  static ofOnlyArgument(encoded: Uint8Array): AbiReader {
    const data = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const outer = new AbiReader(data);
    if (outer.number() !== 32) throw new RangeError('the struct does not stand right behind its offset');
    return new AbiReader(data.subarray(32));
  }

  /** An unsigned integer within 53 bits. */
  number(): number {
    const value = this.uint256();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('a count or time is beyond 2^53');
    return Number(value);
  }

  /** A uint256, or a smaller one. */
  uint256(): bigint {
    return BigInt(toHex(this.#word()));
  }

  /** A uint128. */
  uint128(): bigint {
    const value = this.uint256();
    if (value >> 128n !== 0n) throw new RangeError('an amount is beyond uint128');
    return value;
  }

  /** An address, lower-case. */
  address(): Hex {
    return toHex(this.#word().subarray(12));
  }

  /** bytesN. */
  fixedBytes(lengthBytes: number): Buffer {
    return this.#word().subarray(0, lengthBytes);
  }

  /** bytes32 as 0x-hex. */
  bytes32(): Hex {
    return toHex(this.#word());
  }

  /** `bytes`. */
  bytes(): Buffer {
    const { start, length } = this.#dynamic();
    return this.#slice(start, length);
  }

  /** `string`, valid UTF-8. */
  string(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes());
  }

  /** `bytes32[]`. */
  bytes32Array(): Buffer[] {
    const { start, length } = this.#dynamic();
    const all = this.#slice(start, length * 32);
    return Array.from({ length }, (_, index) => all.subarray(index * 32, (index + 1) * 32));
  }

  #word(): Buffer {
    const word = this.#slice(this.#at, 32);
    this.#at += 32;
    return word;
  }

  /** Where a dynamic value's content begins, and its length word. */
  #dynamic(): { start: number; length: number } {
    const offset = this.number();
    const tail = new AbiReader(this.#data);
    tail.#at = offset;
    const length = tail.number();
    return { start: offset + 32, length };
  }

  #slice(start: number, length: number): Buffer {
    if (start + length > this.#data.length) throw new RangeError('the data ends early');
    return this.#data.subarray(start, start + length);
  }
}
