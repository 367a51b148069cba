const marker = Buffer.from('\n: autopay-receipt ');
const lineFeed = 0x0a;
/** A receipt has some kilobytes; what is longer is none. */
const maxReceiptBytes = 65_536;

/** Finds an AutoPayLLM receipt in a stream of events as it passes: the comment before `[DONE]`, or before an error. */
export class ReceiptScanner {
  #tail = Buffer.from('\n');
  #line: Buffer[] | null = null;
  #lineBytes = 0;
  #receipt: string | null = null;

  /** Base64 SignedReceipt; null as long as none has come. The first one counts. */
  get receipt(): string | null {
    return this.#receipt;
  }

  /** Looks at the next bytes; they are not changed, nor kept. */
  push(bytes: Uint8Array): void {
    if (this.#receipt !== null) return;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#line) return this.#collect(chunk);
    // The marker may lie across the border of two chunks.
    const seam = Buffer.concat([this.#tail, chunk]);
    const at = seam.indexOf(marker);
    if (at < 0) {
      this.#tail = Buffer.from(seam.subarray(-(marker.length - 1)));
      return;
    }
    this.#line = [];
    this.#collect(seam.subarray(at + marker.length));
  }

  #collect(chunk: Buffer): void {
    const end = chunk.indexOf(lineFeed);
    const part = Buffer.from(end < 0 ? chunk : chunk.subarray(0, end));
    this.#lineBytes += part.length;
    if (this.#lineBytes > maxReceiptBytes) {
      this.#receipt = '';
      this.#line = null;
      return;
    }
    this.#line?.push(part);
    if (end >= 0)
      this.#receipt = Buffer.concat(this.#line ?? [])
        .toString('latin1')
        .trim();
  }
}
