import { APIConnectionError, APIError } from 'openai';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { escapeLine } from '../protocol/text/escape-text.ts';

/** Columns, side by side; the last one is not padded. Each cell keeps to its line. */
export function formatTable(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(escapeLine));
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** The one JSON object that a command prints with `--json`. Amounts are strings of atomic units. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item))}\n`;
}

/** An error as programs read it. */
export interface CommandError {
  code: string;
  message: string;
}

/** What a command shows of an error: a stable code, and a message that says what to do. */
export function describeCommandError(error: unknown): CommandError {
  if (error instanceof AutoPayError) return { code: error.code, message: error.message };
  if (error instanceof APIConnectionError || isFetchFailure(error)) {
    return { code: 'upstream_unreachable', message: 'The relay cannot be reached. Check that npm start still runs.' };
  }
  if (error instanceof APIError) {
    const { code, message } = (error.error ?? {}) as { code?: unknown; message?: unknown };
    return {
      code: typeof code === 'string' ? code : 'upstream_error',
      message: typeof message === 'string' ? message : error.message,
    };
  }
  return { code: 'internal_error', message: error instanceof Error ? error.message : String(error) };
}

/** `fetch` rejects with a TypeError whose cause is the socket's error. */
function isFetchFailure(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error && 'code' in error.cause;
}
