import type { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/**
 * Waits for work that goes on by itself, but not for ever. What it comes to after that is nobody's any more.
 * @throws `late()` once the time is over
 */
export async function withTimeout<T>(
  work: Promise<T>,
  { timeoutMs, late }: { timeoutMs: number; late: () => AutoPayError },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
