import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

const maxDepth = 128;
const maxMembers = 1_000;
const maxContainers = 65_536;

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Bounds what a JSON text costs to parse, before it is parsed: nesting to 128 levels, the outermost value to 1,000 members,
 * all of it to 65,536 objects and arrays. More take the parser hundreds of milliseconds, in which no other call moves.
 * @param text of anything else than JSON nothing is promised but an end.
 * @throws AutoPayError `invalid_request`.
 */
export function boundJson(text: Uint8Array): void {
  let depth = 0;
  let members = 1;
  let containers = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === quote) {
      at = endOfString(text, at);
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      containers += 1;
      if (containers > maxContainers) refuse(`has more than ${maxContainers} objects and arrays`);
      if (depth > maxDepth) refuse(`is nested deeper than ${maxDepth} levels`);
    } else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
    } else if (byte === comma && depth === 1) {
      members += 1;
      if (members > maxMembers) refuse(`has more than ${maxMembers} members`);
    }
  }
}

/** The offset of the closing quotation mark. */
function endOfString(text: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === backslash ? 2 : 1;
  return at;
}

function refuse(what: string): never {
  throw new AutoPayError('invalid_request', `The body ${what}. Send a smaller request.`);
}
