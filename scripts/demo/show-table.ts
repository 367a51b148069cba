import type { Demo } from './run-demo.ts';

/** Prints rows as a table, with the names of the first one's members as its head. */
export function showTable(say: Demo['say'], rows: readonly Record<string, string>[]): void {
  const names = Object.keys(rows[0] ?? {});
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => row[name]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  say('');
  say(line(names));
  say(line(widths.map((width) => '─'.repeat(width))));
  for (const row of rows) say(line(names.map((name) => row[name] ?? '')));
}
