import { nameId } from '../../protocol/bytes/name-id.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import type { CallWords } from './describe-call.ts';

import { readNames } from './read-names.ts';

/**
 * What `describeCall` needs, from the chain.
 * @param known names that the user gave, which the chain may not have yet.
 */
export async function readCallWords(deployment: OpenDeployment, known: readonly string[] = []): Promise<CallWords> {
  const { reader, contracts } = deployment;
  const names = new Map(await readNames(deployment));
  for (const name of known) names.set(nameId(name), name);
  return {
    names,
    async disputeToken(disputeId) {
      const address = contracts.billingDisputes;
      const call = { address, abi: billingDisputesAbi, functionName: 'getDispute', args: [disputeId] } as const;
      return unitOfToken(deployment, (await reader.readContract(call)).token);
    },
    async batchToken(batchId) {
      const address = contracts.autoPayLLM;
      const call = { address, abi: autoPayLlmAbi, functionName: 'getBatch', args: [batchId] } as const;
      return unitOfToken(deployment, (await reader.readContract(call)).token);
    },
  };
}
