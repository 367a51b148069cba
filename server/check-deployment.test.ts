import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFunctionData } from 'viem';
import { billingDisputesAbi } from '../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import { zeroAddress } from '../protocol/bytes/hex.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { sendAs } from '../test/support/send-as.ts';
import { createChainClient } from './chain/create-chain-client.ts';
import { checkDeployment, type CheckDeploymentOptions } from './check-deployment.ts';

let stack: ChainStack;
let honest: CheckDeploymentOptions;

beforeAll(async () => {
  stack = await deployStack();
  const { chain, relay } = stack;
  const { contracts, tokens } = stack.deployment;
  honest = {
    client: createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.chainId }),
    config: {
      chain: { id: chain.chainId },
      audit: { maxMergeDelaySeconds: 5 },
      contracts,
      tokens: Object.entries(tokens).map(([symbol, token]) => ({ symbol, ...token })),
    },
    relay,
  };
});
afterAll(() => stack?.stop());

/** What the check finds with one thing changed. */
async function faultWith(change: {
  contracts?: Partial<CheckDeploymentOptions['config']['contracts']>;
  config?: Partial<CheckDeploymentOptions['config']>;
  relay?: CheckDeploymentOptions['relay'];
}): Promise<string> {
  const { config, relay } = honest;
  const contracts = { ...config.contracts, ...change.contracts };
  const changed = { ...honest, relay: change.relay ?? relay, config: { ...config, contracts, ...change.config } };
  return checkDeployment(changed).then(
    () => 'none',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

describe('the check of a deployment', () => {
  it('finds nothing wrong with what the deployment script made', async () => {
    await expect(checkDeployment(honest)).resolves.toBeUndefined();
  });

  it('names an address without a contract', async () => {
    expect(await faultWith({ contracts: { priceOracle: zeroAddress } })).toContain(
      `invalid_configuration: There is no contract at contracts.priceOracle, ${zeroAddress}.`,
    );
  });

  it.each([
    ['modelBudgets', 'priceBook', 'contracts.autoPayLLM works with the modelBudgets'],
    ['auditLog', 'priceBook', 'contracts.autoPayLLM works with the auditLog'],
    ['agpt', 'priceBook', 'contracts.autoPayLLM works with the agpt'],
    ['timelock', 'priceBook', 'contracts.modelBudgets works with the governance'],
    ['keyRegistry', 'priceBook', 'contracts.billingDisputes works with the keyRegistry'],
    ['priceOracle', 'priceBook', 'contracts.billingDisputes works with the priceOracle'],
    ['paymentDesk', 'billingDisputes', 'contracts.paymentDesk lacks DESK_ROLE of contracts.autoPayLLM'],
  ] as const)('finds that %s is the address of %s', async (wrong, other, message) => {
    const contracts = { [wrong]: honest.config.contracts[other] };
    expect(await faultWith({ contracts })).toContain(`invalid_configuration: ${message}`);
  });

  it('finds another chain, and other decimals', async () => {
    const { chain, tokens } = honest.config;
    expect(await faultWith({ config: { chain: { ...chain, id: 1 } } })).toContain('chain.id is 1');
    const [first] = tokens;
    if (first === undefined) throw new Error('the deployment has no token');
    expect(await faultWith({ config: { tokens: [{ ...first, decimals: 7 }] } })).toContain('decimals, not 7');
  });

  it('finds that receipts would be in the log too late', async () => {
    const allowed = await honest.client.readContract({
      ...{ address: honest.config.contracts.billingDisputes, abi: billingDisputesAbi },
      functionName: 'maxMergeDelay',
    });
    const late = { audit: { maxMergeDelaySeconds: Number(allowed) } };
    expect(await faultWith({ config: late })).toContain(`billingDisputes allows ${allowed}: set less`);
    const inTime = { audit: { maxMergeDelaySeconds: Number(allowed) - 1 } };
    expect(await faultWith({ config: inTime })).toBe('none');
  });

  it('finds a key without the relay’s role, and one whose receipts are no evidence', async () => {
    expect(await faultWith({ relay: stack.payer })).toContain('lacks RELAY_ROLE of contracts.autoPayLLM');
    const { keyRegistry } = honest.config.contracts;
    const data = encodeFunctionData({ abi: keyRegistryAbi, functionName: 'retireKey', args: [stack.relay] });
    await sendAs(stack.chain, { from: stack.relay, to: keyRegistry, data });
    // A retired key signs for an hour more.
    await stack.chain.request('evm_increaseTime', [3_601]);
    await stack.chain.mine(1);
    expect(await faultWith({})).toContain('is no receipt key of contracts.keyRegistry now');
  });
});
