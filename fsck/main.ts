import { parseArgs } from 'node:util';
import { escapeText } from '../protocol/text/escape-text.ts';
import { checkBooks } from './check-books.ts';
import { formatClaim } from './claims.ts';

const usage = `Recomputes a relay's books from ledger, blocks and chain, and says claim by claim what holds.

  node fsck/main.ts --data-dir DIR [options]

  --data-dir DIR   the relay's data folder (autopay.yaml, ledger.sqlite, blocks/)
  --rpc-url URL    JSON-RPC endpoint of the home chain; default: that of autopay.yaml
  --offline        check ledger and blocks only
  --json           one JSON object on stdout
  --help           this text

Exit code 0 if every claim holds, 1 if one fails or there are no books to check, 2 for wrong options.
`;

function readOptions() {
  try {
    return parseArgs({
      options: {
        'data-dir': { type: 'string' },
        'rpc-url': { type: 'string' },
        offline: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'wrong options'}\n`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const values = readOptions();
  if (values?.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const dataDir = values?.['data-dir'];
  if (values === undefined || dataDir === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const rpcUrl = values.offline ? null : values['rpc-url'];
  const report = await checkBooks({ dataDir, ...(rpcUrl === undefined ? {} : { rpcUrl }) });
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(report.claims.map(formatClaim).join(''));
  return report.ok ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${escapeText(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
}
