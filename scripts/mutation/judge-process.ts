import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Verdict } from './judge-mutants.ts';
import type { JudgeAnswer, JudgeRequest } from './judge-worker.ts';
import type { MutationTarget } from './targets.ts';

/** The exit code of a process that a mutant makes use too much memory. */
export const MEMORY_EXIT_CODE = 70;

/** Judges one mutant at a time in a process of its own, which can be ended if a mutant never is. */
export interface JudgeProcess {
  /** @param timeoutMs a mutant that makes the tests run for longer is noticed by anyone */
  judge(request: JudgeRequest, timeoutMs: number): Promise<Verdict>;
  end(): void;
}

/** Starts with the first mutant; `end` MUST be called. */
export function createJudgeProcess(targets: readonly MutationTarget[]): JudgeProcess {
  let child: ChildProcess | undefined;
  const end = (): void => {
    child?.kill('SIGKILL');
    child = undefined;
  };
  return {
    end,
    judge: async (request, timeoutMs) => {
      child ??= await start(targets);
      child.send(request);
      const answer = await answerOf(child, timeoutMs);
      if (answer === 'late' || answer === 'bloated') {
        end();
        return { outcome: 'killed', by: answer === 'late' ? `longer than ${timeoutMs / 1000} s` : 'too much memory' };
      }
      if ('error' in answer) throw new Error(`${request.target.source}: ${answer.error}`);
      return answer;
    },
  };
}

async function start(targets: readonly MutationTarget[]): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('judge-worker.ts', import.meta.url));
  const sources = targets.map(({ source }) => source);
  const child = fork(file, sources);
  await answerOf(child);
  return child;
}

/** The next message of the process, or why there is none. */
async function answerOf(child: ChildProcess, timeoutMs?: number): Promise<JudgeAnswer | 'late' | 'bloated'> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => stopped.abort('late'), timeoutMs);
  try {
    const exited = once(child, 'exit', { signal }).then(([code, killedBy]: unknown[]): ['bloated'] => {
      if (code === MEMORY_EXIT_CODE) return ['bloated'];
      throw new Error(`the process that judges mutants ended by itself (${String(code ?? killedBy)})`);
    });
    const [answer] = (await Promise.race([once(child, 'message', { signal }), exited])) as [JudgeAnswer | 'bloated'];
    return answer;
  } catch (error) {
    if (signal.reason === 'late') return 'late';
    throw error;
  } finally {
    clearTimeout(timer);
    stopped.abort('done');
  }
}
