import { createInterface } from 'node:readline/promises';
import { escapeText } from '../client/escape-text.ts';
import type { CommandContext } from './command-context.ts';

/**
 * Shows what is about to be signed and, at a terminal, asks for leave. Without one, and with `--json` or `--yes`, nobody is
 * asked: whoever runs a script has decided.
 * @param options.text what is shown first; not with `--json`, whose one object comes at the end.
 * @returns false if the answer was not yes; then nothing may be signed.
 */
export async function confirmSigning(
  context: CommandContext,
  options: { text: string; account: string; isYes: boolean },
): Promise<boolean> {
  if (context.isJson) return true;
  // Names and titles are whatever somebody wrote on the chain: they must not overwrite what is about to be signed.
  process.stdout.write(escapeText(options.text));
  if (options.isYes || !process.stdin.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`\nSign and send this as ${options.account}? [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } finally {
    terminal.close();
  }
  process.stdout.write('Nothing was signed.\n');
  return false;
}
