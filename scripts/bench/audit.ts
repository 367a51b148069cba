/**
 * npm run bench:audit [-- --json] [--entries N,N…] [--history N] [--yardstick N]
 *
 * The audit log: hashing, appending, proving and verifying at each size, what a receipt costs the ledger's thread, how fast a whole
 * history is verified, and what anchoring costs a call. @openzeppelin/merkle-tree and merkletreejs, in the same run, are the
 * yardsticks: only the ratios mean something on another machine.
 */
import { parseArgs } from 'node:util';
import { measureHistory } from './audit/measure-history.ts';
import { measureReceipts } from './audit/measure-receipts.ts';
import { measureTree } from './audit/measure-tree.ts';
import { measureYardsticks } from './audit/measure-yardsticks.ts';
import { createGasSystem } from './gas/gas-system.ts';
import { measureAnchors } from './gas/measure-gas.ts';
import { figure, printFigures, type Figure } from './report.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    entries: { type: 'string', default: '10000,1000000,10000000' },
    history: { type: 'string', default: '200000' },
    yardstick: { type: 'string', default: '10000' },
  },
});
const sizes = values.entries.split(',').map((text) => readCount('entries', text));
const history = readCount('history', values.history);
const yardstick = readCount('yardstick', values.yardstick);

const figures: Figure[] = measureReceipts();
for (const size of sizes) figures.push(...(await measureTree(size)));
figures.push(...measureYardsticks(yardstick));
figures.push(...(await measureHistory(history)));
figures.push(...(await measureGasPerCall()));
// A goal of speed that is missed is a figure; a proof that does not verify is a failure.
if (figures.some(({ unit, pass }) => ['proofs', 'entries'].includes(unit) && pass === false)) process.exitCode = 1;
printFigures(figures, { json: values.json });

function readCount(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1_000 && count <= 20_000_000) return count;
  process.stderr.write(`--${option} takes whole numbers from 1000 to 20000000.\n`);
  process.exit(2);
}

/** An anchor costs the same however many entries it adds. */
async function measureGasPerCall(): Promise<Figure[]> {
  const system = await createGasSystem({
    baseFeeWei: 0n,
    blobBaseFeeWei: 0n,
    baseFeeScalar: 0n,
    blobBaseFeeScalar: 0n,
  });
  try {
    const { anchorSmall, anchorLarge } = await measureAnchors(system);
    return [
      figure('anchor of 100 calls', Number(anchorSmall.gas) / 100, 'gas per call'),
      figure('anchor of 10,000 calls', Number(anchorLarge.gas) / 10_000, 'gas per call'),
    ];
  } finally {
    await system.close();
  }
}
