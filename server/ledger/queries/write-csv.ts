/** What a cell may hold. */
export type CsvCell = string | number | bigint | null;

/**
 * One record of CSV (RFC 4180), with its CRLF. Cells that a spreadsheet would take for a formula begin with an apostrophe, which
 * makes them text there: names of models and providers are other people's words.
 */
export function writeCsvRecord(cells: readonly CsvCell[]): string {
  return `${cells.map(writeCell).join(',')}\r\n`;
}

function writeCell(cell: CsvCell): string {
  if (cell === null) return '';
  if (typeof cell !== 'string') return String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
