import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { showProgress } from './show-progress.ts';

let written: string[];
const clear = '\r\x1b[2K';

/** Puts a terminal, or none, in the place of stderr. */
function replaceStderr(isTTY: boolean): void {
  const stderr = { isTTY, write: (text: string) => written.push(text) };
  vi.spyOn(process, 'stderr', 'get').mockReturnValue(stderr as never);
}

beforeEach(() => {
  written = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('what takes time', () => {
  it('is told with the seconds that passed, and leaves nothing behind', async () => {
    replaceStderr(true);
    const { promise, resolve } = Promise.withResolvers<number>();
    const waiting = showProgress('Opening the channel', promise);
    await vi.advanceTimersByTimeAsync(399);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_101);
    expect(written).toEqual([
      `${clear}Opening the channel …`,
      `${clear}Opening the channel … 1 s`,
      `${clear}Opening the channel … 2 s`,
    ]);
    resolve(5);
    expect(await waiting).toBe(5);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(written.slice(3)).toEqual([clear]);
  });

  it('leaves nothing behind when it fails', async () => {
    replaceStderr(true);
    await expect(showProgress('It', Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(written).toEqual([clear]);
  });

  it('is not told where nobody watches', async () => {
    replaceStderr(false);
    const { promise, resolve } = Promise.withResolvers<number>();
    const waiting = showProgress('It', promise);
    await vi.advanceTimersByTimeAsync(5_000);
    resolve(1);
    expect(await waiting).toBe(1);
    expect(written).toEqual([]);
  });
});
