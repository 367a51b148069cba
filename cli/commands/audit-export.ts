import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { writeFileDurably } from '../../client/write-file-durably.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { openAuditSession, queryOf, type CallFilterOptions } from '../audit-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';

/** How an export is written. */
export type ExportFormat = 'csv' | 'json' | 'ndjson';

/** What `autopay audit export` was given. */
export interface AuditExportOptions extends CallFilterOptions {
  format: ExportFormat;
  /** The file; one that exists is replaced once the export is whole. */
  output: string;
}

/** Writes calls to a file, oldest first: all that the log has when the export begins. */
export async function runAuditExport(context: CommandContext, options: AuditExportOptions): Promise<void> {
  const { format, output, ...filter } = options;
  const stack = await context.stack();
  const session = await openAuditSession(stack);
  const sent = format === 'csv' ? 'csv' : 'ndjson';
  const query = queryOf(filter, { order: 'asc', format: sent });
  const response = await session.open({ path: `/v1/audit/calls?${query}` });
  const logSize = Number(response.headers.get('x-autopay-log-size'));
  const file = resolve(output);
  const pieces = readBody(response);
  const work = save(file, format === 'json' ? arrayOf(pieces) : pieces);
  const bytes = await showProgress('Exporting', work);
  context.print({
    json: { file, format, bytes, logSize },
    text: formatTable([
      ['file', file],
      ['bytes', String(bytes)],
      ['log', `${logSize} entries`],
    ]),
  });
}

/** @throws AutoPayError `upstream_truncated` if the relay breaks off */
async function* readBody(response: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body ?? []) yield piece as Uint8Array;
  } catch (cause) {
    throw new AutoPayError('upstream_truncated', 'The export broke off, and no file was written. Run it again.', {
      cause,
    });
  }
}

/** NDJSON as one JSON array: a line end between two lines gets a comma before it. No JSON on one line contains another. */
async function* arrayOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let before = '[\n';
  for await (const piece of pieces) {
    // Latin-1 keeps every byte as it is, however characters are cut.
    const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
    const isLineEnd = text.endsWith('\n');
    yield Buffer.from(before + (isLineEnd ? text.slice(0, -1) : text).replaceAll('\n', ',\n'), 'latin1');
    // Whether a comma has to stand here shows with the next piece.
    before = isLineEnd ? ',\n' : '';
  }
  yield Buffer.from(before === '[\n' ? '[]\n' : '\n]\n');
}

/** The file is whole and on the disk, or as it was before. @returns its length, bytes */
async function save(file: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  await writeFileDurably(file, pieces).catch((cause: unknown) => {
    if (cause instanceof AutoPayError) throw cause;
    throw new AutoPayError('invalid_argument', `${file} cannot be written. Name another with --output.`, { cause });
  });
  return (await stat(file)).size;
}
