/** Where a block that was read ends. */
export interface BlockEnd {
  /** SHA-256 digest of the block: the end of its CID. */
  digest: Uint8Array;
  /** Log index of its first entry, and of the first behind it. */
  start: number;
  end: number;
  /** RFC 6962 root over [0, end). */
  root: Uint8Array;
}

const hashBytes = 32;
const bytesPerEnd = 2 * hashBytes;

/**
 * Where the blocks of a log end, from the newest to the oldest: 72 bytes for each, so that a source which makes up blocks of one entry
 * each does not fill the memory.
 */
export class BlockEnds {
  #hashes = Buffer.alloc(64 * bytesPerEnd);
  readonly #starts: number[] = [];
  readonly #size: number;

  /** @param size number of entries of the log */
  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#starts.length;
  }

  /** The first entry of the oldest block; the log's size before the first. */
  get start(): number {
    return this.#starts.at(-1) ?? this.#size;
  }

  /** Adds the block right before those that there are. */
  push({ digest, root, start }: Pick<BlockEnd, 'digest' | 'root' | 'start'>): void {
    const at = this.length * bytesPerEnd;
    if (at === this.#hashes.length) this.#hashes = Buffer.concat([this.#hashes, Buffer.alloc(at)]);
    this.#hashes.set(digest, at);
    this.#hashes.set(root, at + hashBytes);
    this.#starts.push(start);
  }

  /** The block that holds an entry; undefined if it was not read. */
  find(index: number): BlockEnd | undefined {
    if (index < this.start || index >= this.#size) return undefined;
    // Starts fall: the first that is not above the index.
    let [low, high] = [0, this.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= index) high = middle;
      else low = middle + 1;
    }
    const hashes = this.#hashes.subarray(low * bytesPerEnd, (low + 1) * bytesPerEnd);
    return {
      ...{ digest: hashes.subarray(0, hashBytes), root: hashes.subarray(hashBytes) },
      ...{ start: this.#starts[low] ?? 0, end: low === 0 ? this.#size : (this.#starts[low - 1] ?? 0) },
    };
  }
}
