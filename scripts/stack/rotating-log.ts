import { appendFileSync, renameSync, rmSync, statSync } from 'node:fs';

/**
 * Appends to a file of bounded size: at `maxBytes` it is set aside as `<file>.1`, whose predecessor goes.
 * Synchronous, so that the last words of a process are on the disk when its end is reported.
 */
export class RotatingLog {
  readonly file: string;
  readonly #maxBytes: number;
  #size: number;
  /** The newest text, for error messages. */
  #tail = '';

  constructor(file: string, maxBytes = 5 * 1024 * 1024) {
    this.file = file;
    this.#maxBytes = maxBytes;
    this.#size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }

  write(chunk: Buffer): void {
    if (this.#size + chunk.length > this.#maxBytes) {
      rmSync(`${this.file}.1`, { force: true });
      if (this.#size > 0) renameSync(this.file, `${this.file}.1`);
      this.#size = 0;
    }
    appendFileSync(this.file, chunk, { mode: 0o600 });
    this.#size += chunk.length;
    this.#tail = (this.#tail + chunk.toString()).slice(-2_000);
  }

  /** The last lines that were written. */
  lastLines(count: number): string {
    return this.#tail.trimEnd().split('\n').slice(-count).join('\n');
  }
}
