import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import { timelockControllerAbi } from '../../protocol/abi/timelock-controller.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import type { ProposalStatus } from './read-proposals.ts';

/** How long a proposal takes, in seconds. */
export interface GovernanceTiming {
  votingDelay: number;
  votingPeriod: number;
  timelockDelay: number;
}

/** Reads the governor's and the timelock's delays. */
export async function readTiming({ reader, contracts }: OpenDeployment): Promise<GovernanceTiming> {
  const governor = { address: contracts.governor, abi: autoPayGovernorAbi } as const;
  const timelock = { address: contracts.timelock, abi: timelockControllerAbi } as const;
  const [votingDelay, votingPeriod, timelockDelay] = await Promise.all([
    reader.readContract({ ...governor, functionName: 'votingDelay' }),
    reader.readContract({ ...governor, functionName: 'votingPeriod' }),
    reader.readContract({ ...timelock, functionName: 'getMinDelay' }),
  ]);
  return {
    votingDelay: Number(votingDelay),
    votingPeriod: Number(votingPeriod),
    timelockDelay: Number(timelockDelay),
  };
}

/** The earliest time, in unix seconds, at which a proposal could be executed; without one: a proposal made now. */
export function earliestExecution(
  options: { now: number; timing: GovernanceTiming },
  proposal?: Pick<ProposalStatus, 'state' | 'voteEnd' | 'executableAt'>,
): number {
  const { now, timing } = options;
  if (!proposal) return now + timing.votingDelay + timing.votingPeriod + timing.timelockDelay;
  if (proposal.state === 'queued') return Math.max(now, proposal.executableAt);
  return Math.max(now, proposal.voteEnd) + timing.timelockDelay;
}
