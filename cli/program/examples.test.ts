import { describe, expect, it } from 'vitest';
import { createProgram } from '../create-program.ts';
import { commandsOf } from './examples.ts';

/** What `--help` of a command prints. */
function helpOf(path: string): string {
  const [, command] =
    commandsOf(createProgram({ onFailedVerdict: () => undefined })).find(([name]) => name === path) ?? [];
  let text = '';
  command?.configureOutput({ writeOut: (piece) => (text += piece) });
  command?.outputHelp();
  return text;
}

const paths = commandsOf(createProgram({ onFailedVerdict: () => undefined }));
/** Groups do nothing by themselves, but for `limits`. */
const runnable = paths
  .filter(([path, { commands }]) => commands.length === 0 || path === 'limits')
  .map(([path]) => path);

describe('the help of every command', () => {
  it.each(runnable)('has examples that the command line takes: %s', (path) => {
    const lines = [...helpOf(path).matchAll(/npx --no autopay -- (.*)$/gm)].map(([, line]) => line ?? '');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
      // Each command takes its own words off; nothing is run.
      let command = createProgram({ onFailedVerdict: () => undefined });
      for (let inner; (inner = command.commands.find((candidate) => candidate.name() === words[0])); words.shift())
        command = inner;
      const { operands, unknown } = command.parseOptions(words);
      const { registeredArguments: taken } = command;
      expect({ line, unknown }).toEqual({ line, unknown: [] });
      expect(operands.length).toBeGreaterThanOrEqual(taken.filter(({ required }) => required).length);
      expect(operands.length).toBeLessThanOrEqual(taken.length);
    }
  });

  it.each(paths.map(([path]) => path))('describes itself and its options alike: %s', (path) => {
    const [, command] = paths.find(([name]) => name === path) ?? [];
    const texts = [command?.description() ?? '', ...(command?.options ?? []).map(({ description }) => description)];
    for (const text of texts) {
      expect(text).not.toBe('');
      // No sentence: it begins small (names and abbreviations apart), and ends without a full stop.
      expect(text).toMatch(/^([a-z]|API|AGPT|IPFS)/);
      expect(text).not.toMatch(/\.$/);
    }
    // An amount without its unit means nothing.
    for (const { flags, description } of command?.options ?? []) {
      if (flags.includes('<amount>')) expect(`${flags}: ${description}`).toMatch(/in whole tokens/);
    }
  });
});
