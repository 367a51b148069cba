import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addCommonOptions, readContext } from './command-context.ts';

function print(args: readonly string[], result: { json: unknown; text: string }): string {
  let written = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  readContext(addCommonOptions(new Command()).parse(args, { from: 'user' })).print(result);
  return written;
}

afterEach(() => vi.restoreAllMocks());

describe('a result', () => {
  const result = { json: { name: 'a\x1b[2K' }, text: 'a\x1b[2K\nb\n' };

  it('cannot move the cursor', () => {
    expect(print([], result)).toBe(`${String.raw`a\x1b[2K`}\nb\n`);
  });

  it('is exact for programs', () => {
    expect(JSON.parse(print(['--json'], result))).toEqual(result.json);
  });
});
