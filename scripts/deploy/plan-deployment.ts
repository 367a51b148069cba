import { getAddress, parseUnits, zeroAddress } from 'viem';
import type { Address, Hex } from 'viem';
import type { AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../protocol/x402/addresses.ts';
import type { OperatorChoices } from './deployment-options.ts';
import type { NetworkParameters } from './network-parameters.ts';

/** Decimals of the tokens that a deployment knows. */
export const TOKEN_DECIMALS = { USDC: 6, AGPT: 18 } as const;

/** Close grace of `PaymentChannels` and longest collection interval of `AutoPayGovernor`, seconds; both are constants there. */
const CLOSE_GRACE_SECONDS = 3600;
const MAX_COLLECTION_INTERVAL_SECONDS = 600;
/** Time to rule on a metering dispute, a constant of `BillingDisputes`: a vote must fit into it. */
const RULING_WINDOW_SECONDS = 14 * 86_400;
/** Least merge delay, and what the dispute window leaves after it; both are constants of `BillingDisputes`. */
const MIN_MERGE_DELAY_SECONDS = 60;
const CHALLENGE_TIME_SECONDS = 600;

/**
 * Computes what to deploy from what the network has and what the operator chose.
 * @param found the chain's USDC, deployed or there before, and the root of the first price table (zero: none)
 */
export function planDeployment(
  network: NetworkParameters,
  choices: OperatorChoices,
  found: { usdc: Address; priceRoot: Hex },
): AutoPayPlan {
  const { governance, budgets, usdcUsdFeed } = network;
  const terms = (symbol: 'USDC' | 'AGPT') => ({
    claimantBond: parseUnits(network.disputes[symbol].claimantBond, TOKEN_DECIMALS[symbol]),
    minPenalty: parseUnits(network.disputes[symbol].minPenalty, TOKEN_DECIMALS[symbol]),
  });
  return {
    agpt: { holder: choices.agptHolder, supply: choices.agptSupply },
    ...found,
    relay: choices.relay,
    guardian: choices.guardian ?? zeroAddress,
    bondPayout: choices.bondPayout,
    providers: Object.entries(choices.providers).map(([name, payout]) => ({ name, payout })),
    disputeWindow: BigInt(network.disputeWindowSeconds),
    mergeDelay: BigInt(network.mergeDelaySeconds),
    governance: {
      votingDelay: BigInt(governance.votingDelaySeconds),
      votingPeriod: BigInt(governance.votingPeriodSeconds),
      lateQuorumExtension: BigInt(governance.lateQuorumExtensionSeconds),
      proposalThreshold: (choices.agptSupply * BigInt(governance.proposalThresholdBasisPoints)) / 10_000n,
      quorumPercent: BigInt(governance.quorumPercent),
      timelockDelay: BigInt(governance.timelockDelaySeconds),
    },
    defaultDailyLimit: parseUnits(budgets.defaultDailyAgpt, TOKEN_DECIMALS.AGPT),
    usdcRate: parseUnits(budgets.agptPerUsdc, TOKEN_DECIMALS.AGPT) * 10n ** BigInt(18 - TOKEN_DECIMALS.USDC),
    sequencerFeed: network.sequencerFeed?.address ?? zeroAddress,
    usdcUsdFeed:
      usdcUsdFeed === null
        ? undefined
        : { feed: usdcUsdFeed.address, heartbeatSeconds: BigInt(usdcUsdFeed.heartbeatSeconds) },
    disputeTerms: { USDC: terms('USDC'), AGPT: terms('AGPT') },
    permit2: getAddress(network.permit2?.address ?? permit2Address),
    x402: {
      exactProxy: getAddress(network.x402?.exactProxy.address ?? exactProxyAddress),
      uptoProxy: getAddress(network.x402?.uptoProxy.address ?? uptoProxyAddress),
    },
  };
}

/**
 * Says before anything is paid for what the contracts would refuse, or what would make rulings impossible.
 * @throws AutoPayError `invalid_configuration` if the times contradict each other
 */
export function requireConsistentTimes({
  governance,
  disputeWindowSeconds,
  mergeDelaySeconds,
}: NetworkParameters): void {
  const floor = MAX_COLLECTION_INTERVAL_SECONDS + CLOSE_GRACE_SECONDS + disputeWindowSeconds;
  if (governance.timelockDelaySeconds <= floor) {
    throw new AutoPayError(
      'invalid_configuration',
      `timelockDelaySeconds is ${governance.timelockDelaySeconds}, but must exceed ${floor}: collection, close grace and dispute window together.`,
    );
  }
  const longest = disputeWindowSeconds - CHALLENGE_TIME_SECONDS;
  if (mergeDelaySeconds < MIN_MERGE_DELAY_SECONDS || mergeDelaySeconds > longest) {
    throw new AutoPayError(
      'invalid_configuration',
      `mergeDelaySeconds is ${mergeDelaySeconds}, but must be from ${MIN_MERGE_DELAY_SECONDS} to ${longest}: a missing receipt must be challenged before its money is released.`,
    );
  }
  const decision =
    governance.votingDelaySeconds +
    governance.votingPeriodSeconds +
    governance.lateQuorumExtensionSeconds +
    governance.timelockDelaySeconds;
  if (decision >= RULING_WINDOW_SECONDS) {
    throw new AutoPayError(
      'invalid_configuration',
      `A decision takes ${decision} s, but a dispute must be ruled on within ${RULING_WINDOW_SECONDS} s: shorten the vote or the timelock's delay.`,
    );
  }
}
