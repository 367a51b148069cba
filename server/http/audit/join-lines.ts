/** The members of a JSON array, of lines with one object each: JSON on one line contains no line end. */
export function joinLines(text: string): string {
  return text.trimEnd().replaceAll('\n', ',');
}
