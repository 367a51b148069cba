/** What is over sooner needs no words. */
const quietMs = 400;
const tickMs = 1_000;
const clearLine = '\r\x1b[2K';

/**
 * Says at the terminal what is being waited for, and how long, until it is done; the line is then taken away. It goes to stderr, and only
 * where that is a terminal, so that neither results nor logs contain it.
 * @param what such as `Opening the channel`; names of others MUST NOT be part of it.
 */
export async function showProgress<T>(what: string, work: Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const startedAtMs = performance.now();
  const show = () => {
    const seconds = Math.floor((performance.now() - startedAtMs) / 1_000);
    stderr.write(`${clearLine}${what} …${seconds === 0 ? '' : ` ${seconds} s`}`);
    next = setTimeout(show, tickMs);
  };
  let next = setTimeout(show, quietMs);
  try {
    return await work;
  } finally {
    clearTimeout(next);
    stderr.write(clearLine);
  }
}
