import { once } from 'node:events';

/** Resolves at the first SIGTERM or SIGINT (Ctrl-C). A second one then ends the process, as if nobody had listened. */
export async function waitForSignal(): Promise<void> {
  const waiting = new AbortController();
  try {
    await Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name, { signal: waiting.signal })));
  } finally {
    waiting.abort();
  }
}
