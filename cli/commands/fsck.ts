import { checkBooks } from '../../fsck/check-books.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/** What `autopay fsck` was given. */
export interface FsckOptions {
  /** Instead of the endpoint in autopay.yaml. */
  rpcUrl?: string;
  /** Check ledger and blocks only. */
  isOffline: boolean;
}

/** Recomputes the relay's books from the raw data; false if a claim fails. */
export async function runFsck(context: CommandContext, options: FsckOptions): Promise<boolean> {
  const rpcUrl = options.isOffline ? null : options.rpcUrl;
  const report = await checkBooks({ dataDir: context.dataDir, ...(rpcUrl === undefined ? {} : { rpcUrl }) });
  const claims = report.claims.map(({ ok, name, detail }) => [ok ? 'holds' : 'FAILS', name, detail]);
  context.print({
    json: report,
    text: `${formatTable(claims)}\n${report.ok ? 'The books agree.' : 'The books do NOT agree.'}\n`,
  });
  return report.ok;
}
