/**
 * Mutation testing of the contracts: makes one small change after another, and runs the tests that should notice.
 *
 *   node scripts/mutate-contracts.ts [--jobs N] [--json FILE] [contract …]
 *
 * Fails if a mutant survives that test/contracts/surviving-mutants.json does not explain, or if that file explains one
 * that is noticed. A full run takes about an hour on two cores; it is not part of `npm test`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { applyMutant, listMutants, type Mutant } from './mutation/list-mutants.ts';
import { createScratchProject, type MutantOutcome, type ScratchProject } from './mutation/scratch-project.ts';
import { listTargets, type MutationTarget } from './mutation/targets.ts';
import { root } from './tooling/run-command.ts';

interface Survivor {
  source: string;
  mutant: Mutant;
}

interface Row {
  source: string;
  mutants: number;
  killed: number;
  invalid: number;
  survived: number;
  explained: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: '2' }, json: { type: 'string' } },
});
const explanations = JSON.parse(await readFile(join(root, 'test/contracts/surviving-mutants.json'), 'utf8')) as Record<
  string,
  { source: string; why: string }
>;
const targets = listTargets().filter(
  ({ source }) => positionals.length === 0 || positionals.includes(basename(source, '.sol')),
);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const rows: Row[] = [];
const unexplained: Survivor[] = [];
const stale: string[] = [];
for (const target of targets) {
  const source = await readFile(join(root, target.source), 'utf8');
  const mutants = listMutants(source, parse(source));
  if (mutants.length === 0) continue;
  if (target.tests.length === 0)
    throw new Error(`${target.source} has no tests; name them in scripts/mutation/targets.ts`);
  const outcomes = await runMutants(target, source, mutants);
  const survivors = mutants.filter((mutant) => outcomes.get(mutant.id) === 'survived');
  const explained = survivors.filter(({ id }) => Object.hasOwn(explanations, id));
  unexplained.push(
    ...survivors.filter((mutant) => !explained.includes(mutant)).map((mutant) => ({ source: target.source, mutant })),
  );
  const known = Object.entries(explanations).filter(([, { source: file }]) => file === target.source);
  stale.push(...known.map(([id]) => id).filter((id) => outcomes.get(id) !== 'survived'));
  const count = (outcome: MutantOutcome): number => [...outcomes.values()].filter((one) => one === outcome).length;
  rows.push({
    source: target.source,
    mutants: mutants.length,
    killed: count('killed'),
    invalid: count('invalid'),
    survived: survivors.length,
    explained: explained.length,
  });
}
report();
if (values.json !== undefined)
  await writeFile(values.json, `${JSON.stringify({ rows, unexplained, stale }, null, 2)}\n`);
process.exitCode = unexplained.length + stale.length > 0 ? 1 : 0;

/** The tree without types: that is all that solc needs for it, and quick. */
function parse(content: string): unknown {
  const solc = createRequire(import.meta.url)('solc') as { compile: (input: string) => string };
  const settings = { stopAfter: 'parsing', outputSelection: { '*': { '': ['ast'] } } };
  const output = JSON.parse(
    solc.compile(JSON.stringify({ language: 'Solidity', sources: { file: { content } }, settings })),
  ) as { sources: { file: { ast: unknown } } };
  return output.sources.file.ast;
}

async function runMutants(
  target: MutationTarget,
  source: string,
  mutants: readonly Mutant[],
): Promise<Map<string, MutantOutcome>> {
  const outcomes = new Map<string, MutantOutcome>();
  const waiting = [...mutants];
  const work = async (): Promise<void> => {
    const project = await createScratchProject();
    try {
      if ((await judge(project, target)) !== 'survived') throw new Error(`${target.source} fails without any mutant`);
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        await project.write(target.source, applyMutant(source, mutant));
        const outcome = await judge(project, target);
        outcomes.set(mutant.id, outcome);
        if (outcome === 'survived') say(`survived ${mutant.id} ${target.source}:${mutant.line} ${describe(mutant)}`);
      }
    } finally {
      await project.remove();
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  say(`${target.source}: ${outcomes.size} mutants`);
  return outcomes;
}

async function judge(project: ScratchProject, target: MutationTarget): Promise<MutantOutcome> {
  if (!(await project.build())) return 'invalid';
  for (const file of target.tests) {
    const outcome = await project.runTests(file);
    if (outcome !== 'survived') return outcome;
  }
  return 'survived';
}

function describe({ operator, original, replacement }: Mutant): string {
  return `${operator}: ${original.replaceAll(/\s+/g, ' ')} → ${replacement || '(nothing)'}`;
}

function report(): void {
  say(`\n${'source'.padEnd(48)} mutants  killed  invalid  survived  explained`);
  for (const row of rows) {
    const numbers = [row.mutants, row.killed, row.invalid, row.survived, row.explained];
    say(`${row.source.padEnd(48)} ${numbers.map((number) => String(number).padStart(7)).join('  ')}`);
  }
  for (const { source, mutant } of unexplained) {
    say(`unexplained: ${mutant.id} ${source}:${mutant.line} ${describe(mutant)}`);
  }
  for (const id of stale) say(`explained, but noticed by a test: ${id}`);
}
