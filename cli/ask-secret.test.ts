import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { askSecret } from './ask-secret.ts';

const remedy = 'Set X.';
let written = '';
const raw: boolean[] = [];

/** Puts a terminal in the place of stdin, on which somebody types. */
function ask(typed: readonly string[], { isTTY = true, ends = false } = {}): Promise<string> {
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (isRaw: boolean) => raw.push(isRaw) });
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as never);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  const answer = askSecret('Password: ', { remedy });
  for (const piece of typed) stdin.write(piece);
  if (ends) stdin.end();
  return answer;
}

afterEach(() => {
  vi.restoreAllMocks();
  written = '';
  raw.length = 0;
});

describe('a secret', () => {
  it.each([
    [['secret\r'], 'secret'],
    [['se', 'cret', '\n'], 'secret'],
    [['sex\u007fcret\r'], 'secret'],
    [['\b\r'], ''],
  ])('typed as %j is read, and not shown', async (typed, secret) => {
    expect(await ask(typed)).toBe(secret);
    expect(written).toBe('Password: \n');
    expect(raw).toEqual([true, false]);
  });

  it.each(['sec\u0003', 'sec\u0004'])('is broken off by %j', async (typed) => {
    await expect(ask([typed])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('Broken off'),
    });
    expect(raw).toEqual([true, false]);
  });

  it('is broken off where the terminal goes away', async () => {
    await expect(ask(['sec'], { ends: true })).rejects.toThrow('Broken off');
  });

  it('is not read from a pipe', async () => {
    await expect(ask(['secret\n'], { isTTY: false })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'There is no terminal to ask at. Set X.',
    });
    expect(written).toBe('');
  });
});
