/** `npm test`: contracts, units and end to end. `npm test -- units` runs one suite. */
import { countHardhatTests, countVitestTests, type TestCount } from './tooling/count-tests.ts';
import { binOf, runCommand } from './tooling/run-command.ts';

interface Suite {
  about: string;
  /** An environment variable without which there is nothing to test. */
  needs?: string;
  args: () => string[];
  count: (output: string) => TestCount;
}

const hardhat =
  (...args: string[]) =>
  () => [binOf('hardhat', 'hardhat'), 'test', ...args];
const vitest =
  (...args: string[]) =>
  () => [binOf('vitest', 'vitest'), 'run', ...args];

const kuboTest = 'interop/kubo.test.ts';

const SUITES: Readonly<Record<string, Suite>> = {
  contracts: {
    about: 'Solidity: unit, fuzz and invariant tests; gas snapshots',
    args: hardhat('solidity', '--snapshot-check'),
    count: countHardhatTests,
  },
  chain: {
    about: 'Mocha: the contracts as deployed, with real USDC code',
    args: hardhat('mocha', '--no-compile'),
    count: countHardhatTests,
  },
  // Two at a time: by itself vitest leaves a core of two idle.
  units: {
    about: 'units, beside their sources',
    args: vitest('--exclude', 'test/**', '--maxWorkers', '2'),
    count: countVitestTests,
  },
  // These start whole stacks, and wait a good deal: two at a time keep two cores busy, more run into their time limits.
  system: {
    about: 'end to end, and faults',
    // With --dir, what is excluded is named from there.
    args: vitest('--dir', 'test', '--exclude', 'fuzz/**', '--exclude', kuboTest, '--maxWorkers', '2'),
    count: countVitestTests,
  },
  kubo: {
    about: 'the log at a real IPFS node; KUBO_BIN names its program',
    needs: 'KUBO_BIN',
    args: vitest(`test/${kuboTest}`),
    count: countVitestTests,
  },
  // Few inputs, unless AUTOPAY_FUZZ_RUNS says how many.
  fuzz: {
    about: 'mutated headers, payloads and bodies',
    args: vitest('--dir', 'test/fuzz', '--no-file-parallelism'),
    count: countVitestTests,
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(SUITES, name));
if (wanted.includes('--help') || unknown.length > 0) {
  const list = Object.entries(SUITES).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  process.stdout.write(`Usage: npm test [-- suite …]\n\n${list.join('\n')}\n`);
  process.exit(wanted.includes('--help') ? 0 : 2);
}

const total: TestCount = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
for (const [name, suite] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { needs } = suite;
  if (needs !== undefined && !process.env[needs] && !wanted.includes(name)) {
    lines.push(`  ${name.padEnd(10)} skipped: ${needs} is not set (${suite.about})`);
    continue;
  }
  process.stdout.write(`\n── ${name}: ${suite.about}\n`);
  const result = await runCommand(suite.args(), { isShown: true });
  const count = suite.count(result.output);
  // A runner that fails without a failed test (it did not compile, a snapshot differs) has failed all the same; and one
  // that found no test has tested nothing.
  if (count.failed === 0 && (result.code !== 0 || count.passed === 0)) count.failed = 1;
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  const seconds = Math.round(result.durationMs / 1000);
  lines.push(`  ${name.padEnd(10)} ${count.passed} passed, ${count.failed} failed${skipped} (${seconds} s)`);
}
process.stdout.write(`\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
