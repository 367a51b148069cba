import type { Abi, ContractEventName, GetContractEventsReturnType } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { asChainError } from './send-transaction.ts';
import type { OpenDeployment } from './open-deployment.ts';

/** Public endpoints refuse longer ranges. */
const maxBlocksPerQuery = 10_000n;

/** All events of one kind since the deployment, oldest first. */
export async function readEvents<const TAbi extends Abi, TName extends ContractEventName<TAbi>>(
  deployment: OpenDeployment,
  source: { address: Hex; abi: TAbi; eventName: TName },
): Promise<GetContractEventsReturnType<TAbi, TName, true>> {
  const { reader } = deployment;
  const events: unknown[] = [];
  try {
    const newest = await reader.getBlockNumber({ cacheTime: 0 });
    for (let from = BigInt(deployment.deployedAtBlock); from <= newest; from += maxBlocksPerQuery) {
      const last = from + maxBlocksPerQuery - 1n;
      const toBlock = last < newest ? last : newest;
      events.push(...(await reader.getContractEvents({ ...source, strict: true, fromBlock: from, toBlock })));
    }
  } catch (error) {
    throw asChainError(error, 'Reading events');
  }
  return events as GetContractEventsReturnType<TAbi, TName, true>;
}
