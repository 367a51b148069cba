/**
 * Compares the specifications of the contracts (the .tree files under test/contracts) with their tests: each leaf names the tests that
 * show it (after ` · `), and each test of the contract's files is named by a leaf.
 */
import { readFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from './tooling/run-command.ts';

const faults: string[] = [];
const trees = globSync('test/contracts/**/*.tree', { cwd: root }).toSorted();
for (const tree of trees) {
  const contract = basename(tree, '.tree');
  const files = globSync(`${dirname(tree)}/${contract}*.{t.sol,spec.ts}`, { cwd: root });
  const texts = await Promise.all(files.map((file) => readFile(join(root, file), 'utf8')));
  const solidityTests = texts.flatMap((text) =>
    [...text.matchAll(/function (test\w+)\(/g)].map((match) => match[1] ?? ''),
  );
  const tests = new Set(solidityTests);
  const named = new Set<string>();
  const lines = (await readFile(join(root, tree), 'utf8')).split('\n');
  for (const [index, line] of lines.entries()) {
    const leaf = /[├└]── (it .*|.* · .*)$/.exec(line)?.[1];
    if (leaf === undefined) continue;
    const names = leaf.split(' · ')[1]?.split(', ') ?? [];
    if (names.length === 0) faults.push(`${tree}:${index + 1} names no test`);
    for (const name of names) {
      named.add(name);
      if (!tests.has(name)) faults.push(`${tree}:${index + 1} names ${name}, which is not in ${files.join(', ')}`);
    }
  }
  for (const test of tests) if (!named.has(test)) faults.push(`${tree} does not name ${test}`);
}
const contracts = globSync('contracts/{,governance/}*.sol', { cwd: root }).map((file) => basename(file, '.sol'));
for (const contract of contracts) {
  if (!trees.includes(`test/contracts/${contract}.tree`)) faults.push(`test/contracts/${contract}.tree is missing`);
}
process.stdout.write(faults.length > 0 ? `${faults.join('\n')}\n` : `${trees.length} trees agree with their tests\n`);
process.exitCode = faults.length > 0 ? 1 : 0;
