import { zeroAddress, zeroHash, type Address } from 'viem';
import { describe, expect, it } from 'vitest';
import { readNetworkParameters } from './network-parameters.ts';
import { planDeployment, requireConsistentTimes } from './plan-deployment.ts';

const relay: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const choices = {
  ...{ relay, bondPayout: relay, agptHolder: relay },
  agptSupply: 1_000_000n * 10n ** 18n,
  providers: { simulated: relay },
} as const;
const found = { usdc: relay, priceRoot: zeroHash } as const;

describe('planDeployment', () => {
  it('turns whole tokens and percentages into atomic units', () => {
    const plan = planDeployment(readNetworkParameters('local'), choices, found);
    expect(plan.defaultDailyLimit).toBe(1_000_000n * 10n ** 18n);
    // 1 USDC (10^6 units) counts 100 AGPT (10^20 wei): 10^14 wei per unit, times 10^18.
    expect(plan.usdcRate).toBe(10n ** 32n);
    expect(plan.governance.proposalThreshold).toBe(1_000n * 10n ** 18n);
    expect(plan.disputeTerms).toEqual({
      USDC: { claimantBond: 1_000_000n, minPenalty: 1_000_000n },
      AGPT: { claimantBond: 100n * 10n ** 18n, minPenalty: 100n * 10n ** 18n },
    });
    expect(plan.guardian).toBe(zeroAddress);
    expect(plan.usdcUsdFeed).toBeUndefined();
  });

  it('takes the feeds of the network', () => {
    const plan = planDeployment(readNetworkParameters('base'), choices, found);
    expect(plan.usdcUsdFeed).toEqual({
      feed: '0x7e860098F58bBFC8648a4311b374B1D669a2bc6B',
      heartbeatSeconds: 90_000n,
    });
    expect(plan.sequencerFeed).toBe('0xBCF85224fc0756B9Fa45aA7892530B47e10b6433');
  });

  it.each(['base', 'local'])('takes Permit2 and the proxies of %s, which are at one address everywhere', (network) => {
    const plan = planDeployment(readNetworkParameters(network), choices, found);
    expect(plan.permit2).toBe('0x000000000022D473030F116dDEE9F6B43aC78BA3');
    expect(plan.x402).toEqual({
      exactProxy: '0x402085c248EeA27D92E8b30b2C58ed07f9E20001',
      uptoProxy: '0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002',
    });
  });
});

describe('requireConsistentTimes', () => {
  const network = readNetworkParameters('base');
  const change = (governance: Partial<typeof network.governance>) => () =>
    requireConsistentTimes({ ...network, governance: { ...network.governance, ...governance } });

  it('wants the timelock slower than all that one may have to wait for', () => {
    expect(change({ timelockDelaySeconds: 600 + 3600 + 86_400 })).toThrow(/must exceed 90600/);
    expect(change({ timelockDelaySeconds: 600 + 3600 + 86_401 })).not.toThrow();
  });

  it('wants a missing receipt challenged before its money is released', () => {
    const delay = (mergeDelaySeconds: number) => () => requireConsistentTimes({ ...network, mergeDelaySeconds });
    expect(delay(59)).toThrow(/mergeDelaySeconds is 59, but must be from 60 to 85800/);
    expect(delay(85_801)).toThrow(/mergeDelaySeconds is 85801/);
    expect(delay(60)).not.toThrow();
    expect(delay(85_800)).not.toThrow();
  });

  it('wants a decision to fit into the time for rulings', () => {
    expect(change({ timelockDelaySeconds: 7 * 86_400 })).toThrow(/A decision takes 1209600 s/);
    expect(change({ timelockDelaySeconds: 7 * 86_400 - 1 })).not.toThrow();
  });
});
