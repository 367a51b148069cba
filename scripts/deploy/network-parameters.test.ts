import { usdc } from 'viem/tokens';
import { describe, expect, it } from 'vitest';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../protocol/x402/addresses.ts';
import { listNetworks, readNetworkParameters, readParametersOfChain } from './network-parameters.ts';
import { requireConsistentTimes } from './plan-deployment.ts';

const live = ['arbitrum', 'arbitrumSepolia', 'base', 'baseSepolia', 'optimism', 'polygon'];

describe('network parameters', () => {
  it('are there for every network that is promised', () => {
    expect(listNetworks()).toEqual([...live, 'local'].sort());
  });

  it.each([...live, 'local'])('of %s are well formed: checksums, sources, times that fit', (network) => {
    const parameters = readNetworkParameters(network);
    expect(() => requireConsistentTimes(parameters)).not.toThrow();
    expect(readParametersOfChain(parameters.chainId)).toEqual(parameters);
  });

  it.each(live)('of %s name the USDC that viem knows there', (network) => {
    const { chainId, usdc: named } = readNetworkParameters(network);
    expect(named?.address).toBe((usdc.addresses as Record<number, string>)[chainId]);
  });

  it.each(live)('of %s decide slowly and wait a day for disputes', (network) => {
    const { governance, disputeWindowSeconds, mergeDelaySeconds } = readNetworkParameters(network);
    expect(disputeWindowSeconds).toBe(86_400);
    expect(mergeDelaySeconds).toBe(43_200);
    expect(governance).toEqual({
      votingDelaySeconds: 86_400,
      votingPeriodSeconds: 432_000,
      lateQuorumExtensionSeconds: 86_400,
      proposalThresholdBasisPoints: 10,
      quorumPercent: 4,
      timelockDelaySeconds: 172_800,
    });
  });

  it.each(live)('of %s name Permit2 and the proxies that x402 signs for', (network) => {
    const { permit2, x402 } = readNetworkParameters(network);
    expect(permit2?.address.toLowerCase()).toBe(permit2Address);
    expect(x402?.exactProxy.address.toLowerCase()).toBe(exactProxyAddress);
    expect(x402?.uptoProxy.address.toLowerCase()).toBe(uptoProxyAddress);
  });

  it('use a sequencer feed on every L2 that has one', () => {
    const withFeed = live.filter((network) => readNetworkParameters(network).sequencerFeed !== null);
    expect(withFeed).toEqual(['arbitrum', 'base', 'optimism']);
  });

  it('take an unknown chain for a development chain', () => {
    expect(readParametersOfChain(1_234_567)).toEqual(readNetworkParameters('local'));
  });

  it('refuse a network that nobody named', () => {
    expect(() => readNetworkParameters('mainnet')).toThrow(/There is no network 'mainnet'; there are arbitrum,/);
  });
});
