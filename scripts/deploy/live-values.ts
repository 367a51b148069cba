import { createPublicClient, getAddress, http, zeroAddress, zeroHash } from 'viem';
import type { Abi, Address } from 'viem';
import type { AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import { timelockControllerAbi } from '../../protocol/abi/timelock-controller.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

/** What a deployment shows, by `<contract>.<getter>`. Addresses have their checksum. */
export type LiveValues = Record<string, unknown>;

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
    'billingDisputes.maxMergeDelay': plan.mergeDelay,
    'billingDisputes.terms': [disputeTerms.USDC, disputeTerms.AGPT],
    'paymentDesk.autoPayLLM': at('autoPayLLM'),
    'paymentDesk.permit2': plan.permit2,
    'paymentDesk.exactProxy': plan.x402.exactProxy,
    'paymentDesk.uptoProxy': plan.x402.uptoProxy,
    'timelock.getMinDelay': vote.timelockDelay,
    'governor.timelock': at('timelock'),
    'governor.token': at('agpt'),
    'governor.votingDelay': vote.votingDelay,
    'governor.votingPeriod': vote.votingPeriod,
    'governor.lateQuorumVoteExtension': vote.lateQuorumExtension,
    'governor.proposalThreshold': vote.proposalThreshold,
    'governor.quorumNumerator': vote.quorumPercent,
  };
}

const abis = {
  agpt: agptAbi,
  autoPayLLM: autoPayLlmAbi,
  modelBudgets: modelBudgetsAbi,
  priceBook: priceBookAbi,
  priceOracle: priceOracleAbi,
  keyRegistry: keyRegistryAbi,
  billingDisputes: billingDisputesAbi,
  paymentDesk: paymentDeskAbi,
  timelock: timelockControllerAbi,
  governor: autoPayGovernorAbi,
};

/** Getters without arguments. */
const getters: Partial<Record<keyof typeof abis, readonly string[]>> = {
  agpt: ['totalSupply'],
  autoPayLLM: ['paymentChannels', 'auditLog', 'modelBudgets', 'agpt', 'disputeWindow', 'bondPayout'],
  modelBudgets: ['governance', 'consumer'],
  priceBook: ['governance'],
  priceOracle: ['governance', 'sequencerFeed'],
  billingDisputes: ['autoPayLLM', 'priceBook', 'priceOracle', 'keyRegistry', 'governance', 'maxMergeDelay'],
  paymentDesk: ['autoPayLLM', 'permit2', 'exactProxy', 'uptoProxy'],
  timelock: ['getMinDelay'],
  governor: [
    ...['timelock', 'token', 'votingDelay', 'votingPeriod', 'lateQuorumVoteExtension'],
    ...['proposalThreshold', 'quorumNumerator'],
  ],
};

/** Reads what `expectedValues` names from the chain, at its newest block. */
export async function readLiveValues(options: {
  rpcUrl: string;
  deployment: Deployment;
  plan: AutoPayPlan;
}): Promise<LiveValues> {
  const { plan, deployment } = options;
  const { contracts } = deployment;
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const { timestamp: now } = await reader.getBlock();
  const day = Number(now / 86_400n);
  const ask = async (contract: keyof typeof abis, functionName: string, ...args: unknown[]): Promise<unknown> => {
    const abi: Abi = abis[contract];
    const answer = await reader.readContract({ address: contracts[contract], abi, functionName, args });
    // viem gives small integers as numbers.
    return typeof answer === 'number' ? BigInt(answer) : answer;
  };
  const plain = Object.entries(getters).flatMap(([contract, names]) =>
    names.map(async (name) => [`${contract}.${name}`, await ask(contract as keyof typeof abis, name)]),
  );
  const [feed, heartbeat] = (await ask('priceOracle', 'feedOf', plan.usdc)) as [Address, number];
  return {
    ...(Object.fromEntries(await Promise.all(plain)) as LiveValues),
    'autoPayLLM.payouts': await Promise.all(
      plan.providers.map(({ name }) => ask('autoPayLLM', 'payoutOf', nameId(name))),
    ),
    'modelBudgets.defaultLimit': await ask('modelBudgets', 'defaultLimitOf', day),
    'modelBudgets.rates': [
      await ask('modelBudgets', 'rateOf', plan.usdc, day),
      await ask('modelBudgets', 'rateOf', contracts.agpt, day),
    ],
    'priceBook.isInForce': await ask('priceBook', 'isInForce', plan.priceRoot, now),
    'priceOracle.usdcFeed': feed,
    'priceOracle.usdcHeartbeat': BigInt(heartbeat),
    'keyRegistry.relayKeySigns': await ask('keyRegistry', 'isValidAt', plan.relay, now),
    'billingDisputes.terms': [
      await ask('billingDisputes', 'termsOf', plan.usdc),
      await ask('billingDisputes', 'termsOf', contracts.agpt),
    ],
  };
}
