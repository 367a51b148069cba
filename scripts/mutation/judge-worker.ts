/** A process that judges mutants, started by worker-pool.ts; its arguments are the sources of its targets. */
import { createJudge, type Verdict } from './judge-mutants.ts';
import { MEMORY_EXIT_CODE } from './judge-process.ts';
import { listTargets, type MutationTarget } from './targets.ts';

/** One mutant to be judged. */
export interface JudgeRequest {
  target: MutationTarget;
  /** The target's source with the mutant in it. */
  text: string;
}

/** What is known of it, or why it could not be judged. */
export type JudgeAnswer = Verdict | { error: string };

/** Three times what it needs. EDR notes every step of a test that failed: a mutant that loops for ever would take all. */
const MEMORY_LIMIT_BYTES = 3 * 1024 ** 3;
const MEMORY_LOOK_MS = 200;

setInterval(() => {
  if (process.memoryUsage.rss() > MEMORY_LIMIT_BYTES) process.exit(MEMORY_EXIT_CODE);
}, MEMORY_LOOK_MS).unref();

const sources = process.argv.slice(2);
const judge = await createJudge(listTargets().filter(({ source }) => sources.includes(source)));
process.on('message', ({ target, text }: JudgeRequest) => {
  void judge(target, text)
    .catch((error: unknown) => ({ error: String(error) }))
    .then((answer: JudgeAnswer) => process.send?.(answer));
});
process.send?.('ready');
