/**
 * Static analysis with slither (Python), which must be installed: `node scripts/slither.ts [path of slither]`.
 *
 * Fails on findings of high or medium impact that test/contracts/slither-explained.json does not explain, and on
 * explanations that explain nothing any more.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import config from '../hardhat.config.ts';
import { root } from './tooling/run-command.ts';

interface Finding {
  check: string;
  impact: string;
  description: string;
  elements: { type: string; name: string; type_specific_fields?: { parent?: { name: string } } }[];
}

interface Explained {
  check: string;
  /** `Contract.function`, as printed. */
  where: string;
  why: string;
}

const folder = await mkdtemp(join(tmpdir(), 'autopay-slither-'));
try {
  await writeBuildInfo(folder);
  const findings = analyse(folder, process.argv[2] ?? 'slither');
  const explained = JSON.parse(
    await readFile(join(root, 'test/contracts/slither-explained.json'), 'utf8'),
  ) as Explained[];
  const isExplained = (finding: Finding): boolean =>
    explained.some(({ check, where }) => check === finding.check && where === placeOf(finding));
  const open = findings.filter((finding) => !isExplained(finding));
  const stale = explained.filter(
    ({ check, where }) => !findings.some((finding) => finding.check === check && placeOf(finding) === where),
  );
  for (const finding of open) {
    process.stdout.write(`${finding.impact} ${finding.check} in ${placeOf(finding)}\n${finding.description}\n`);
  }
  for (const { check, where } of stale) process.stdout.write(`explained, but not found: ${check} in ${where}\n`);
  process.stdout.write(`${findings.length} findings of high or medium impact, ${open.length} of them not explained\n`);
  process.exitCode = open.length + stale.length > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Where a finding is: the innermost function, with its contract. */
function placeOf({ elements }: Finding): string {
  const place = elements.find(({ type }) => type === 'function') ?? elements[0];
  if (place === undefined) return '(nowhere)';
  const parent = place.type_specific_fields?.parent?.name;
  return parent === undefined ? place.name : `${parent}.${place.name}`;
}

/** Slither cannot run the compiler that is used here, so it is given what that compiler said, in Hardhat 2's layout. */
async function writeBuildInfo(target: string): Promise<void> {
  const sources: Record<string, { content: string }> = {};
  const load = (name: string): void => {
    if (sources[name] !== undefined) return;
    const content = readFileSync(join(root, name.startsWith('@') ? 'node_modules' : '.', name), 'utf8');
    sources[name] = { content };
    for (const match of content.matchAll(/^\s*import [^;]*?["']([^"']+)["'];/gms)) {
      const path = match[1] ?? '';
      load(path.startsWith('.') ? join(dirname(name), path) : path);
    }
  };
  for (const file of globSync('contracts/**/*.sol', { cwd: root })) load(file);
  const { compilers } = config.solidity as { compilers: { version: string; settings: object }[] };
  const [compiler] = compilers;
  if (compiler === undefined) throw new Error('hardhat.config.ts names no compiler');
  const outputSelection = {
    '*': { '': ['ast'], '*': ['abi', 'evm.bytecode', 'evm.deployedBytecode', 'devdoc', 'userdoc'] },
  };
  const input = { language: 'Solidity', sources, settings: { ...compiler.settings, outputSelection } };
  const solc = createRequire(import.meta.url)('solc') as { compile: (input: string) => string };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as unknown;
  const buildInfo = { _format: 'hh-sol-build-info-1', id: 'slither', solcVersion: compiler.version, input, output };
  await mkdir(join(target, 'artifacts/build-info'), { recursive: true });
  await writeFile(join(target, 'artifacts/build-info/slither.json'), JSON.stringify(buildInfo));
  await writeFile(join(target, 'hardhat.config.js'), 'module.exports = {};\n');
  await cp(join(root, 'contracts'), join(target, 'contracts'), { recursive: true });
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
}

function analyse(project: string, slither: string): Finding[] {
  const args = ['.', '--compile-force-framework', 'hardhat', '--ignore-compile', '--hardhat-ignore-compile'];
  const filters = [
    '--filter-paths',
    'node_modules',
    '--exclude-informational',
    '--exclude-low',
    '--exclude-optimization',
  ];
  const run = spawnSync(slither, [...args, ...filters, '--json', 'findings.json'], { cwd: project, encoding: 'utf8' });
  if (run.error)
    throw new Error(`slither does not run (${run.error.message}); install it: pip install slither-analyzer`);
  let result: { success: boolean; error: string | null; results: { detectors?: Finding[] } };
  try {
    result = JSON.parse(readFileSync(join(project, 'findings.json'), 'utf8')) as typeof result;
  } catch {
    throw new Error(`slither wrote no findings:\n${run.stderr.slice(-4_000)}`);
  }
  if (!result.success) throw new Error(`slither failed: ${result.error ?? run.stderr.slice(-4_000)}`);
  return (result.results.detectors ?? []).filter(({ impact }) => impact === 'High' || impact === 'Medium');
}
