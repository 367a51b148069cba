import { createNoteVerifier } from '../protocol/log/signed-note.ts';
import type { LogTree } from './audit/log-tree.ts';
import { createCosigning as createGatherer, type CosigningState } from './audit/witnesses/cosign-checkpoints.ts';
import { createJob } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import type { RelayConfig } from './config/relay-config.ts';

/** The witnesses of the log, and what keeps asking them. */
export interface Cosigning {
  /**
   * How much of the log may be anchored: what is there by now, signed, if enough witnesses cosign it at once, else what they cosigned
   * before. Nothing is anchored that no checkpoint covers, also where no cosignature is required.
   * @throws AutoPayError as LogTree.update
   */
  anchorableSize: () => Promise<number>;
  state(): CosigningState;
  start(): void;
  stop(): Promise<void>;
}

/** How often each witness is asked, if there is a checkpoint that it has not cosigned. */
const intervalMs = 1_000;
/** The longest pause after failures. */
const maxRetryMs = 60_000;
/** An operator is told of what waits for longer, and told again after as long. */
const lateMs = 600_000;

/** Wires the witnesses of the configuration; each has a job of its own. Nothing runs before `start`. */
export function createCosigning(options: {
  config: Pick<RelayConfig['audit'], 'witnesses' | 'requiredCosignatures'>;
  tree: LogTree;
  log: JobLog;
  nowMs: () => number;
}): Cosigning {
  const { config, tree, log, nowMs } = options;
  const stopping = new AbortController();
  const witnesses = config.witnesses.map(({ url, key }) => ({ url, verifier: createNoteVerifier(key) }));
  const gatherer = createGatherer({
    ...{ witnesses, required: config.requiredCosignatures, tree, log, nowMs, signal: stopping.signal },
  });
  const jobs = witnesses.map((witness) =>
    createJob({
      ...{ name: `witness ${witness.verifier.name}`, intervalMs, maxRetryMs, log },
      work: () => gatherer.submitTo(witness),
    }),
  );
  let toldAtMs = -Infinity;

  function tellIfLate({ waitingSinceMs, ...facts }: CosigningState): void {
    const now = nowMs();
    if (waitingSinceMs === null || now - waitingSinceMs < lateMs || now - toldAtMs < lateMs) return;
    toldAtMs = now;
    log.error(
      { waitingSinceMs, ...facts },
      'nothing is anchored: too few witnesses cosign; see why, or take them out of audit',
    );
  }

  return {
    anchorableSize: async () => {
      const { size } = await tree.update();
      if (config.requiredCosignatures === 0) return size;
      // What fails is told by the job itself, at its interval.
      await Promise.allSettled(jobs.map((job) => job.run()));
      tellIfLate(gatherer.state());
      return gatherer.state().cosignedSize;
    },
    state: () => gatherer.state(),
    start() {
      for (const job of jobs) job.start();
    },
    async stop() {
      stopping.abort();
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}
