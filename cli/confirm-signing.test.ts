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
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  stdin.end(answer);
  return confirmSigning(context(isJson), { text: shown, account: '0xac', isYes });
}

afterEach(() => vi.restoreAllMocks());

describe('before signing', () => {
  it.each(['y\n', 'Yes\n', ' y \n'])('%j is leave', async (answer) => {
    expect(await ask(answer)).toBe(true);
    expect(written).toContain('what it does');
    expect(written).toContain('as 0xac? [y/N]');
  });

  it.each(['\n', 'n\n', 'yellow\n', ''])('%j is none', async (answer) => {
    expect(await ask(answer)).toBe(false);
    expect(written).toContain('Nothing was signed.');
  });

  it.each([{ isYes: true }, { isYes: true, isTTY: false }])('nobody is asked with %j, but told', async (given) => {
    expect(await ask('n\n', given)).toBe(true);
    expect(written).toBe('what it does\n');
  });

  it('nothing goes without leave where there is no terminal, whatever comes down the pipe', async () => {
    await expect(ask('yes\n', { isTTY: false })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'Nothing was signed as 0xac: there is no terminal to ask at. Give --yes to sign without being asked.',
    });
    expect(written).toBe('what it does\n');
  });

  it('no text of others erases what it stands beside', async () => {
    await ask('n\n', { text: 'limit 5\n\x1b[1A\x1b[2Klimit 4\n' });
    expect(written).toContain(String.raw`limit 5` + '\n' + String.raw`\x1b[1A\x1b[2Klimit 4` + '\n');
  });

  it('with --json leave is given by --yes alone, and one object comes at the end', async () => {
    await expect(ask('y\n', { isJson: true })).rejects.toThrow('--json prints no question. Give --yes');
    expect(await ask('n\n', { isJson: true, isYes: true })).toBe(true);
    expect(written).toBe('');
  });
});
