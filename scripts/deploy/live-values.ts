import { createPublicClient, getAddress, http, keccak256, toBytes, zeroAddress, zeroHash } from 'viem';
import type { Address, PublicClient } from 'viem';
import type { AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import { timelockControllerAbi } from '../../protocol/abi/timelock-controller.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

/** What a deployment shows, by `<contract>.<getter>`. Addresses have their checksum. */
export type LiveValues = Record<string, unknown>;

/** Identifier of a provider or model: keccak256 of its name. */
const nameId = (name: string) => keccak256(toBytes(name));

/** What the getters should answer right after a deployment. */
export function expectedValues(deployment: Deployment, plan: AutoPayPlan): LiveValues {
  const at = (name: keyof Deployment['contracts']): Address => getAddress(deployment.contracts[name]);
  const { governance: vote, disputeTerms } = plan;
  return {
    'agpt.totalSupply': plan.agpt.supply,
    'autoPayLLM.paymentChannels': at('paymentChannels'),
    'autoPayLLM.auditLog': at('auditLog'),
    'autoPayLLM.modelBudgets': at('modelBudgets'),
    'autoPayLLM.agpt': at('agpt'),
    'autoPayLLM.disputeWindow': plan.disputeWindow,
    'autoPayLLM.bondPayout': plan.bondPayout,
    'autoPayLLM.payouts': plan.providers.map(({ payout }) => payout),
    'modelBudgets.governance': at('timelock'),
    'modelBudgets.consumer': at('autoPayLLM'),
    'modelBudgets.defaultLimit': plan.defaultDailyLimit,
    'modelBudgets.rates': [plan.usdcRate, 10n ** 18n],
    'priceBook.governance': at('timelock'),
    'priceBook.isInForce': plan.priceRoot !== zeroHash,
    'priceOracle.governance': at('timelock'),
    'priceOracle.sequencerFeed': plan.sequencerFeed,
    'priceOracle.usdcFeed': plan.usdcUsdFeed?.feed ?? zeroAddress,
    'priceOracle.usdcHeartbeat': plan.usdcUsdFeed?.heartbeatSeconds ?? 0n,
    'keyRegistry.relayKeySigns': true,
    'billingDisputes.autoPayLLM': at('autoPayLLM'),
    'billingDisputes.priceBook': at('priceBook'),
    'billingDisputes.priceOracle': at('priceOracle'),
    'billingDisputes.keyRegistry': at('keyRegistry'),
    'billingDisputes.governance': at('timelock'),
    'billingDisputes.mergeDelay': plan.mergeDelay,
    'billingDisputes.terms': [disputeTerms.USDC, disputeTerms.AGPT],
    'timelock.delay': vote.timelockDelay,
    'governor.timelock': at('timelock'),
    'governor.token': at('agpt'),
    'governor.votingDelay': vote.votingDelay,
    'governor.votingPeriod': vote.votingPeriod,
    'governor.lateQuorumExtension': vote.lateQuorumExtension,
    'governor.proposalThreshold': vote.proposalThreshold,
    'governor.quorumPercent': vote.quorumPercent,
  };
}

/** Reads what `expectedValues` names from the chain, at its newest block. */
export async function readLiveValues(options: {
  rpcUrl: string;
  deployment: Deployment;
  plan: AutoPayPlan;
}): Promise<LiveValues> {
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const block = await reader.getBlock();
  const parts = await Promise.all([
    readBusiness(reader, options),
    readRules(reader, { ...options, now: block.timestamp }),
    readDisputes(reader, options),
    readGovernance(reader, options),
  ]);
  return Object.assign({}, ...parts) as LiveValues;
}

interface Source {
  deployment: Deployment;
  plan: AutoPayPlan;
}

async function readBusiness(reader: PublicClient, { deployment, plan }: Source): Promise<LiveValues> {
  const autoPayLLM = { address: deployment.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const payouts = plan.providers.map(({ name }) =>
    reader.readContract({ ...autoPayLLM, functionName: 'payoutOf', args: [nameId(name)] }),
  );
  return {
    'autoPayLLM.paymentChannels': await reader.readContract({ ...autoPayLLM, functionName: 'paymentChannels' }),
    'autoPayLLM.auditLog': await reader.readContract({ ...autoPayLLM, functionName: 'auditLog' }),
    'autoPayLLM.modelBudgets': await reader.readContract({ ...autoPayLLM, functionName: 'modelBudgets' }),
    'autoPayLLM.agpt': await reader.readContract({ ...autoPayLLM, functionName: 'agpt' }),
    'autoPayLLM.disputeWindow': await reader.readContract({ ...autoPayLLM, functionName: 'disputeWindow' }),
    'autoPayLLM.bondPayout': await reader.readContract({ ...autoPayLLM, functionName: 'bondPayout' }),
    'autoPayLLM.payouts': await Promise.all(payouts),
  };
}

async function readRules(
  reader: PublicClient,
  { deployment, plan, now }: Source & { now: bigint },
): Promise<LiveValues> {
  const { contracts } = deployment;
  const modelBudgets = { address: contracts.modelBudgets, abi: modelBudgetsAbi } as const;
  const priceBook = { address: contracts.priceBook, abi: priceBookAbi } as const;
  const priceOracle = { address: contracts.priceOracle, abi: priceOracleAbi } as const;
  const keyRegistry = { address: contracts.keyRegistry, abi: keyRegistryAbi } as const;
  const day = Number(now / 86_400n);
  const rateOf = (token: Address) =>
    reader.readContract({ ...modelBudgets, functionName: 'rateOf', args: [token, day] });
  const [feed, heartbeat] = await reader.readContract({ ...priceOracle, functionName: 'feedOf', args: [plan.usdc] });
  return {
    'modelBudgets.governance': await reader.readContract({ ...modelBudgets, functionName: 'governance' }),
    'modelBudgets.consumer': await reader.readContract({ ...modelBudgets, functionName: 'consumer' }),
    'modelBudgets.defaultLimit': await reader.readContract({
      ...modelBudgets,
      functionName: 'defaultLimitOf',
      args: [day],
    }),
    'modelBudgets.rates': [await rateOf(plan.usdc), await rateOf(contracts.agpt)],
    'priceBook.governance': await reader.readContract({ ...priceBook, functionName: 'governance' }),
    'priceBook.isInForce': await reader.readContract({
      ...priceBook,
      functionName: 'isInForce',
      args: [plan.priceRoot, now],
    }),
    'priceOracle.governance': await reader.readContract({ ...priceOracle, functionName: 'governance' }),
    'priceOracle.sequencerFeed': await reader.readContract({ ...priceOracle, functionName: 'sequencerFeed' }),
    'priceOracle.usdcFeed': feed,
    'priceOracle.usdcHeartbeat': BigInt(heartbeat),
    'keyRegistry.relayKeySigns': await reader.readContract({
      ...keyRegistry,
      functionName: 'isValidAt',
      args: [plan.relay, now],
    }),
  };
}

async function readDisputes(reader: PublicClient, { deployment, plan }: Source): Promise<LiveValues> {
  const { contracts } = deployment;
  const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
  const termsOf = async (token: Address) => {
    const { claimantBond, minPenalty } = await reader.readContract({
      ...disputes,
      functionName: 'termsOf',
      args: [token],
    });
    return { claimantBond, minPenalty };
  };
  return {
    'billingDisputes.autoPayLLM': await reader.readContract({ ...disputes, functionName: 'autoPayLLM' }),
    'billingDisputes.priceBook': await reader.readContract({ ...disputes, functionName: 'priceBook' }),
    'billingDisputes.priceOracle': await reader.readContract({ ...disputes, functionName: 'priceOracle' }),
    'billingDisputes.keyRegistry': await reader.readContract({ ...disputes, functionName: 'keyRegistry' }),
    'billingDisputes.governance': await reader.readContract({ ...disputes, functionName: 'governance' }),
    'billingDisputes.mergeDelay': await reader.readContract({ ...disputes, functionName: 'maxMergeDelay' }),
    'billingDisputes.terms': [await termsOf(plan.usdc), await termsOf(contracts.agpt)],
  };
}

async function readGovernance(reader: PublicClient, { deployment }: Source): Promise<LiveValues> {
  const { contracts } = deployment;
  const governor = { address: contracts.governor, abi: autoPayGovernorAbi } as const;
  const timelock = { address: contracts.timelock, abi: timelockControllerAbi } as const;
  const agpt = { address: contracts.agpt, abi: agptAbi } as const;
  return {
    'agpt.totalSupply': await reader.readContract({ ...agpt, functionName: 'totalSupply' }),
    'timelock.delay': await reader.readContract({ ...timelock, functionName: 'getMinDelay' }),
    'governor.timelock': await reader.readContract({ ...governor, functionName: 'timelock' }),
    'governor.token': await reader.readContract({ ...governor, functionName: 'token' }),
    'governor.votingDelay': await reader.readContract({ ...governor, functionName: 'votingDelay' }),
    'governor.votingPeriod': await reader.readContract({ ...governor, functionName: 'votingPeriod' }),
    'governor.lateQuorumExtension': BigInt(
      await reader.readContract({ ...governor, functionName: 'lateQuorumVoteExtension' }),
    ),
    'governor.proposalThreshold': await reader.readContract({ ...governor, functionName: 'proposalThreshold' }),
    'governor.quorumPercent': await reader.readContract({ ...governor, functionName: 'quorumNumerator' }),
  };
}
