import { CommanderError, type Command } from 'commander';
import { escapeText } from '../protocol/text/escape-text.ts';
import { createProgram } from './create-program.ts';
import { describeCommandError, formatJson, type CommandError } from './output.ts';

const usageExitCode = 2;
const failureExitCode = 1;

/** Runs the command line, and returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  // Known before parsing, because errors of parsing are told in JSON too.
  const isJson = argv.includes('--json');
  let exitCode = 0;
  const program = createProgram({
    onFailedVerdict: () => {
      exitCode = failureExitCode;
    },
  });
  let usageText = '';
  program.configureOutput({ writeErr: (text) => (usageText += text) });
  program.commands.forEach((command) => inheritSettings(command, program));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const described = describeCommandError(error);
      printError(described, isJson);
      return described.code === 'invalid_argument' ? usageExitCode : failureExitCode;
    }
    // --help and --version end by an exception as well.
    if (error.exitCode === 0) return 0;
    const isBare = error.code === 'commander.help';
    const message = isBare ? 'No command was given.' : error.message.replace(/^error: /, '');
    if (isJson) printError({ code: 'invalid_argument', message }, isJson);
    else process.stderr.write(isBare ? usageText : `${usageText}See autopay ${nameCommand(program, argv)}--help.\n`);
    return usageExitCode;
  }
}

/** Commands are made before the program's output is configured, and nest. */
function inheritSettings(command: Command, program: Command): void {
  command.copyInheritedSettings(program);
  command.commands.forEach((inner) => inheritSettings(inner, program));
}

/** The command that was meant, as far as its words are commands. */
function nameCommand(program: Command, argv: readonly string[]): string {
  let command: Command | undefined = program;
  let name = '';
  for (const word of argv) {
    command = command.commands.find((inner) => inner.name() === word);
    if (command === undefined) break;
    name += `${word} `;
  }
  return name;
}

function printError(error: CommandError, isJson: boolean): void {
  if (isJson) process.stdout.write(formatJson({ error }));
  else process.stderr.write(`${escapeText(error.message)} (${error.code})\n`);
}

// A reader that has seen enough, such as `head`, closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? 0 : failureExitCode),
);
process.exitCode = await main(process.argv.slice(2));
