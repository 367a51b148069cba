import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { escapeText } from '../protocol/text/escape-text.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from './command-context.ts';

/**
 * Shows what is about to be signed and asks for leave, unless `--yes` gave it already. Nothing is signed without either. Text and
 * question go to stderr: stdout is for the result.
 * @param options.text what is shown first; not with `--json`, whose one object comes at the end.
 * @returns false if the answer was not yes; then nothing may be signed.
 * @throws AutoPayError `invalid_argument` where nobody can be asked: without a terminal, or with `--json`.
 */
export async function confirmSigning(
  context: CommandContext,
  options: { text: string; account: string; isYes: boolean },
): Promise<boolean> {
  // Names and titles are whatever somebody wrote on the chain: they must not overwrite what is about to be signed.
  if (!context.isJson) process.stderr.write(escapeText(options.text));
  if (options.isYes) return true;
  if (context.isJson || !process.stdin.isTTY) {
    const why = process.stdin.isTTY ? '--json prints no question' : 'there is no terminal to ask at';
    throw new AutoPayError(
      'invalid_argument',
      `Nothing was signed as ${options.account}: ${why}. Give --yes to sign without being asked.`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = terminal.question(`\nSign and send this as ${options.account}? [y/N] `);
    // Who ends the input (Ctrl-D) answers nothing.
    const answer = await Promise.race([question, once(terminal, 'close').then(() => '')]);
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } finally {
    terminal.close();
  }
  process.stderr.write('Nothing was signed.\n');
  return false;
}
