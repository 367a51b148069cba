/** Controls (C0 without tab and line feed, DEL, C1), line and paragraph separators, and what changes the direction of text. */
const unsafeInText = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** All controls, all separators of lines, and all characters that are only format, which no name needs. */
const unsafeInLine = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text of others for a terminal: what could move the cursor, erase or recolour what stands there, or change the order in which
 * it is read is written out, such as `\x1b`. Tabs and line breaks stay.
 */
export function escapeText(text: string): string {
  return text.replace(unsafeInText, (character) => ('\t\n'.includes(character) ? character : writeOut(character)));
}

/** The same for what has to stay in its line, such as a name or a title: line breaks and tabs are written out as well. */
export function escapeLine(text: string): string {
  return text.replace(unsafeInLine, writeOut);
}

function writeOut(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\u{${digits}}`;
}
