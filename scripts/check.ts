/** `npm run check`: everything that can be found out without running the system. `npm run check -- lint types` runs some. */
import { join } from 'node:path';
import { binOf, root, runCommand } from './tooling/run-command.ts';

interface Check {
  about: string;
  args: () => string[];
}

const FOLDERS = ['protocol', 'server', 'client', 'cli', 'fsck', 'witness', 'simulator', 'scripts', 'ignition', 'test'];

const CHECKS: Readonly<Record<string, Check>> = {
  format: {
    about: 'Prettier; npm run format mends it',
    args: () => [binOf('prettier', 'prettier'), '--check', '--log-level', 'warn', '.'],
  },
  lint: { about: 'ESLint', args: () => [binOf('eslint', 'eslint'), '--max-warnings', '0', '.'] },
  borders: {
    about: 'import borders (.dependency-cruiser.cjs)',
    args: () => [binOf('dependency-cruiser', 'depcruise'), '--config', '.dependency-cruiser.cjs', ...FOLDERS],
  },
  types: { about: 'tsc, strict', args: () => [binOf('typescript', 'tsc'), '--noEmit', '-p', '.'] },
  solidity: {
    about: 'solhint',
    args: () => [binOf('solhint', 'solhint'), '--max-warnings', '0', '--noPoster', 'contracts/**/*.sol'],
  },
  compiler: {
    about: 'no warning of solc; sizes of the contracts',
    args: () => [join(root, 'scripts/check-contracts.ts')],
  },
  trees: {
    about: 'specifications of the contracts (test/contracts/*.tree) agree with their tests',
    args: () => [join(root, 'scripts/check-trees.ts')],
  },
  payments: {
    about: 'docs/PAYMENTS.md names tests that exist',
    args: () => [join(root, 'scripts/check-payments.ts')],
  },
  faults: {
    about: 'docs/FAULTS.md names tests that exist, and every fault that is tested',
    args: () => [join(root, 'scripts/check-faults.ts')],
  },
  lies: {
    about: 'docs/LIES.md names tests that exist',
    args: () => [join(root, 'scripts/check-lies.ts')],
  },
  gateway: {
    about: 'docs/GATEWAY.md names tests that exist',
    args: () => [join(root, 'scripts/check-gateway.ts')],
  },
  unused: { about: 'files, exports and dependencies that nothing uses (knip)', args: () => [binOf('knip', 'knip')] },
  generated: {
    about: 'generated files are up to date; npm run generate mends it',
    args: () => [join(root, 'scripts/generate.ts'), '--check'],
  },
};

const wanted = process.argv.slice(2);
if (wanted.some((name) => !Object.hasOwn(CHECKS, name))) {
  const list = Object.entries(CHECKS).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  process.stdout.write(`Usage: npm run check [-- check …]\n\n${list.join('\n')}\n`);
  process.exit(wanted.includes('--help') ? 0 : 2);
}

let passed = 0;
let failed = 0;
for (const [name, check] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const result = await runCommand(check.args(), { isShown: false });
  const isGood = result.code === 0;
  process.stdout.write(
    `${isGood ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${check.about} (${(result.durationMs / 1000).toFixed(1)} s)\n`,
  );
  if (isGood) passed += 1;
  else {
    failed += 1;
    process.stdout.write(`\n${result.output.trimEnd()}\n\n`);
  }
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
