import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandContext } from './command-context.ts';
import { confirmSigning } from './confirm-signing.ts';

const context = (isJson: boolean): CommandContext => ({
  isJson,
  dataDir: '',
  print: () => undefined,
  stack: () => Promise.reject(new Error('no stack is needed')),
});
let written = '';

/** Puts a terminal, or a pipe, with this answer in the place of stdin, and asks. */
async function ask(answer: string, given: { isTTY?: boolean; isJson?: boolean; isYes?: boolean; text?: string } = {}) {
  const { isTTY = true, isJson = false, isYes = false, text: shown = 'what it does\n' } = given;
  const stdin = Object.assign(new PassThrough(), { isTTY });
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as never);
  written = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  stdin.write(`${answer}\n`);
  return confirmSigning(context(isJson), { text: shown, account: '0xac', isYes });
}

afterEach(() => vi.restoreAllMocks());

describe('before signing', () => {
  it.each(['y', 'Yes', ' y '])('%j is leave', async (answer) => {
    expect(await ask(answer)).toBe(true);
    expect(written).toContain('what it does');
    expect(written).toContain('as 0xac? [y/N]');
  });

  it.each(['', 'n', 'yellow'])('%j is none', async (answer) => {
    expect(await ask(answer)).toBe(false);
    expect(written).toContain('Nothing was signed.');
  });

  it.each([{ isTTY: false }, { isYes: true }])('nobody is asked with %j, but told', async (given) => {
    expect(await ask('n', given)).toBe(true);
    expect(written).toBe('what it does\n');
  });

  it('no text of others erases what it stands beside', async () => {
    await ask('n', { text: 'limit 5\n\x1b[1A\x1b[2Klimit 4\n' });
    expect(written).toContain(String.raw`limit 5` + '\n' + String.raw`\x1b[1A\x1b[2Klimit 4` + '\n');
  });

  it('with --json, one object comes at the end', async () => {
    expect(await ask('n', { isJson: true })).toBe(true);
    expect(written).toBe('');
  });
});
