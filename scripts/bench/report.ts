/** One figure of a benchmark. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What it should be, as text (`≥ 0.5`), or null where nothing is asked. */
  goal: string | null;
  /** Whether the goal is met; null without one. */
  pass: boolean | null;
}

/** A figure with a goal that is a bound on its value. */
export function figure(
  name: string,
  value: number,
  unit: string,
  bound?: { atLeast: number } | { atMost: number },
): Figure {
  if (bound === undefined) return { name, value, unit, goal: null, pass: null };
  return 'atLeast' in bound
    ? { name, value, unit, goal: `≥ ${bound.atLeast}`, pass: value >= bound.atLeast }
    : { name, value, unit, goal: `≤ ${bound.atMost}`, pass: value <= bound.atMost };
}

function round(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))) - 1);
  return Number(value.toFixed(Math.min(6, digits)));
}

/** Prints the figures as a table, or with `json` as one object a line. */
export function printFigures(figures: readonly Figure[], options: { json: boolean }): void {
  if (options.json) {
    for (const item of figures) process.stdout.write(`${JSON.stringify({ ...item, value: round(item.value) })}\n`);
    return;
  }
  const verdicts = new Map([
    [true, 'pass'],
    [false, 'MISSED'],
  ]);
  const rows = [
    ['name', 'value', 'unit', 'goal', ''],
    ...figures.map((item) => [
      item.name,
      String(round(item.value)),
      item.unit,
      item.goal ?? '',
      item.pass === null ? '' : (verdicts.get(item.pass) ?? ''),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}
