/**
 * The generated texts of an answer whose JSON was broken off, for an estimate of what it cost. Escapes are left as they
 * are, except that of the quotation mark.
 * @param members whose strings were generated.
 */
export function textsOfCutJson(bytes: Buffer, members: readonly string[]): string[] {
  if (members.length === 0) return [];
  const generated = new RegExp(`"(?:${members.join('|')})"\\s*:\\s*"`, 'g');
  const json = bytes.toString('utf8');
  const texts: string[] = [];
  for (let found = generated.exec(json); found !== null; found = generated.exec(json)) {
    const start = generated.lastIndex;
    const end = endOfString(json, start);
    texts.push(json.slice(start, end).replaceAll('\\"', '"'));
    generated.lastIndex = end;
  }
  return texts;
}

/** The offset of the string's closing quotation mark, or of the end. */
function endOfString(json: string, start: number): number {
  for (let at = json.indexOf('"', start); at >= 0; at = json.indexOf('"', at + 1)) {
    let escapes = 0;
    while (json[at - 1 - escapes] === '\\') escapes += 1;
    if (escapes % 2 === 0) return at;
  }
  return json.length;
}
