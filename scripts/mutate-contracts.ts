/**
 * Mutation testing of the contracts: makes one small change after another, and runs the tests that should notice.
 *
 *   node scripts/mutate-contracts.ts [--jobs N] [--results FILE] [--markdown] [contract …]
 *
 * Fails if a mutant survives that test/contracts/surviving-mutants.json does not explain, or if that file explains one
 * that is noticed. `--results` keeps each verdict in a file: a run that was stopped goes on where it was, and one after
 * new tests judges the survivors only. `--markdown` writes the table in docs/CONTRACT_TESTS.md. A run over all takes about
 * 20 minutes of two free cores; it is not part of `npm test`.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { parseSource, readSource } from './mutation/compile-contracts.ts';
import type { Verdict } from './mutation/judge-mutants.ts';
import { createJudgeProcess, type JudgeProcess } from './mutation/judge-process.ts';
import { openVerdicts } from './mutation/keep-verdicts.ts';
import { applyMutant, listMutants, type Mutant } from './mutation/list-mutants.ts';
import {
  countMutants,
  describeMutant,
  explains,
  readExplanations,
  writeMutantTable,
  type JudgedMutant,
  type MutantRow,
} from './mutation/report-mutants.ts';
import { listTargets, type MutationTarget } from './mutation/targets.ts';

/** A mutant with which the tests take so many times as long as without does not end, however busy the machine is. */
const SLOWDOWN = 5;
const LEAST_LIMIT_MS = 240_000;
/** While it is not known how long they take. */
const GREATEST_LIMIT_MS = 3_600_000;

interface Job {
  target: MutationTarget;
  /** Without one the tests run over the source as it is, and must pass. */
  mutant?: Mutant;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '2' },
    results: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const all = listTargets();
const named = positionals.map((name) => {
  const target = all.find(({ source }) => basename(source, '.sol') === name);
  if (target === undefined) throw new Error(`no contract, library or type of ours is named ${name}`);
  return target;
});
const targets = named.length > 0 ? named : all;
const verdicts = openVerdicts(values.results);
/** How long the tests of a source may take. */
const limitsMs = new Map<string, number>();
const judged: JudgedMutant[] = [];
const jobs = targets.flatMap(listJobs);
say(`${judged.length} mutants were judged before, ${jobs.filter(({ mutant }) => mutant).length} are to be`);
await Promise.all(Array.from({ length: Number(values.jobs) }, work));

const explanations = readExplanations().filter((one) => targets.some(({ source }) => source === one.source));
const survivors = judged.filter(({ verdict }) => verdict.outcome === 'survived');
const unexplained = survivors.filter((mutant) => !explanations.some((one) => explains(one, mutant)));
const stale = explanations.filter((one) => !survivors.some((mutant) => explains(one, mutant)));
const inOrder = targets.flatMap(({ source }) => judged.filter((one) => one.source === source));
const rows = countMutants(inOrder, explanations);
report(rows);
if (values.markdown) await writeMutantTable(rows, explanations);
process.exitCode = unexplained.length + stale.length > 0 ? 1 : 0;

/** What is still to be done for a target; what is known already goes to `judged`. */
function listJobs(target: MutationTarget): Job[] {
  const { source } = target;
  const text = readSource(source);
  const waiting: Job[] = [];
  for (const mutant of listMutants(text, parseSource(text))) {
    const verdict = verdicts.find(source, mutant);
    if (verdict === undefined) waiting.push({ target, mutant });
    else judged.push({ source, mutant, verdict });
  }
  return waiting.length > 0 ? [{ target }, ...waiting] : [];
}

/** Runs the tests over a mutant, or over the source as it is, which says how long they may take. */
async function judgeJob(judge: JudgeProcess, { target, mutant }: Job): Promise<Verdict> {
  const { source } = target;
  const original = readSource(source);
  const text = mutant === undefined ? original : applyMutant(original, mutant);
  const startedAt = performance.now();
  const verdict = await judge.judge({ target, text }, limitsMs.get(source) ?? GREATEST_LIMIT_MS);
  if (mutant === undefined) {
    limitsMs.set(source, Math.max(LEAST_LIMIT_MS, SLOWDOWN * (performance.now() - startedAt)));
  }
  return verdict;
}

/** Takes one job after another until none is left. */
async function work(): Promise<void> {
  const judge = createJudgeProcess(targets);
  try {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const { target, mutant } = job;
      const { source } = target;
      const verdict = await judgeJob(judge, job);
      if (mutant !== undefined) {
        judged.push({ source, mutant, verdict });
        verdicts.add(source, mutant, verdict);
        if (verdict.outcome === 'survived') say(`survived ${describe(source, mutant)}`);
      } else if (verdict.outcome !== 'survived') {
        throw new Error(`${source} fails without any mutant: ${verdict.by ?? 'it does not compile'}`);
      }
    }
  } finally {
    judge.end();
  }
}

function describe(source: string, mutant: Mutant): string {
  return `${mutant.id} ${source}:${mutant.line} ${describeMutant(mutant)}`;
}

function report(rows: readonly MutantRow[]): void {
  say(`\n${'source'.padEnd(48)} mutants  killed  invalid  survived  explained`);
  for (const row of rows) {
    const numbers = [row.mutants, row.killed, row.invalid, row.survived, row.explained];
    say(`${row.source.padEnd(48)} ${numbers.map((number) => String(number).padStart(7)).join('  ')}`);
  }
  for (const { source, mutant } of unexplained) say(`unexplained: ${describe(source, mutant)}`);
  for (const { id, source, mutant } of stale) say(`explained, but noticed by a test: ${id} ${source} ${mutant}`);
}
