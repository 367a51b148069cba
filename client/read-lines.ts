import { open, type FileHandle } from 'node:fs/promises';

/** Read at a time: a file of any length takes no more memory than this and its longest line. */
const chunkBytes = 1_048_576;
const newline = 0x0a;

/** Some lines of a file, in their order. */
export interface LineChunk {
  /** Without the line ends; a last one may be empty. */
  lines: string[];
  /** The byte offset behind the last of them. */
  end: number;
}

/**
 * The whole lines of a file from a byte offset on; what has no line end yet is left out. Nothing if there is no such file.
 * @param from negative: so many bytes before the end, from the next line on.
 */
export async function* readLines(file: string, from = 0): AsyncGenerator<LineChunk> {
  const handle = await openIfThere(file);
  if (!handle) return;
  try {
    const { size } = await handle.stat();
    let at = from < 0 ? Math.max(0, size + from) : Math.min(from, size);
    // Begun in the middle of a line, that line is not this reader's.
    let isWithinLine = from < 0 && at > 0;
    let rest = Buffer.alloc(0);
    if (at === size) yield { lines: [], end: size };
    while (at < size) {
      const bytes = Buffer.concat([rest, await readPart(handle, at, Math.min(at + chunkBytes, size))]);
      at += bytes.length - rest.length;
      if (bytes.length === rest.length) return;
      const first = isWithinLine ? bytes.indexOf(newline) + 1 : 0;
      if (first > 0) isWithinLine = false;
      const behind = isWithinLine ? 0 : bytes.lastIndexOf(newline) + 1;
      rest = bytes.subarray(behind);
      yield { lines: bytes.toString('utf8', first, behind).split('\n'), end: at - rest.length };
    }
  } finally {
    await handle.close();
  }
}

/** The lines of a file, the newest first, also one without a line end. Nothing if there is no such file. */
export async function* readLinesBackward(file: string): AsyncGenerator<string> {
  const handle = await openIfThere(file);
  if (!handle) return;
  try {
    let { size: end } = await handle.stat();
    /** The end of a line whose beginning was not read yet. */
    let rest = Buffer.alloc(0);
    while (end > 0) {
      const start = Math.max(0, end - chunkBytes);
      const bytes = Buffer.concat([await readPart(handle, start, end), rest]);
      const first = start === 0 ? 0 : bytes.indexOf(newline) + 1;
      end = start;
      rest = start > 0 && first === 0 ? bytes : bytes.subarray(0, first);
      if (rest !== bytes) yield* bytes.toString('utf8', first).split('\n').toReversed();
    }
  } finally {
    await handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  return open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function readPart(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
  return bytes.subarray(0, bytesRead);
}
