import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

const endOfText = '\u0003';
const endOfInput = '\u0004';
const rubOut = ['\u007f', '\b'];
/** More than any password or key; what comes beyond is not typed by anybody. */
const maxLength = 1_024;

/**
 * Asks at the terminal for a line that is not shown while it is typed. The question goes to stderr, so that stdout keeps to the result.
 * @param options.remedy what to do where there is no terminal, as a sentence.
 * @throws AutoPayError `invalid_argument` without a terminal, and if the question is broken off (Ctrl-C, Ctrl-D).
 */
export async function askSecret(question: string, { remedy }: { remedy: string }): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) throw new AutoPayError('invalid_argument', `There is no terminal to ask at. ${remedy}`);
  process.stderr.write(question);
  // Only raw mode keeps the terminal from showing what is typed.
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let typed = '';
      const finish = (end: () => void) => {
        stdin.off('data', take).off('end', hangUp);
        end();
      };
      const hangUp = () => finish(() => reject(brokenOff()));
      const take = (chunk: string) => {
        for (const character of chunk) {
          if (character === '\r' || character === '\n') return finish(() => resolve(typed));
          if (character === endOfText || character === endOfInput) return hangUp();
          if (rubOut.includes(character)) typed = typed.slice(0, -1);
          else if (typed.length < maxLength) typed += character;
        }
      };
      stdin.on('data', take).on('end', hangUp);
    });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write('\n');
  }
}

function brokenOff(): AutoPayError {
  return new AutoPayError('invalid_argument', 'Broken off: nothing was done.');
}
