import { createPublicClient, formatUnits, http } from 'viem';
import type { Address } from 'viem';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

/**
 * Says who holds the votes: whoever deployed should read it, because a majority of the delegated votes is the governance.
 * @param options.holder who got the supply
 */
export async function describeVotes(options: {
  rpcUrl: string;
  deployment: Deployment;
  holder: Address;
}): Promise<string> {
  const { deployment, holder } = options;
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const agpt = { address: deployment.contracts.agpt, abi: agptAbi } as const;
  const supply = await reader.readContract({ ...agpt, functionName: 'totalSupply' });
  const held = await reader.readContract({ ...agpt, functionName: 'balanceOf', args: [holder] });
  const votes = await reader.readContract({ ...agpt, functionName: 'getVotes', args: [holder] });
  const whole = (amount: bigint) => Number(formatUnits(amount, 18)).toLocaleString('en-US');
  const share = supply === 0n ? 0 : Number((held * 10_000n) / supply) / 100;
  return [
    `Votes: ${holder} holds ${whole(held)} of ${whole(supply)} AGPT (${share} %): it alone is the governance until it distributes them.`,
    votes === 0n
      ? 'No votes are delegated yet; votes count once delegated: npx --no autopay gov delegate'
      : `${whole(votes)} votes are delegated to it.`,
  ].join('\n');
}
