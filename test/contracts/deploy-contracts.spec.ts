/** The deployment script against a chain behind JSON-RPC, as `npm start` uses it. */
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import hre from 'hardhat';
import { after, before, describe, it } from 'mocha';
import { createPublicClient, http, keccak256, toBytes } from 'viem';
import type { Address, Hex } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { deployContracts } from '../../scripts/deploy-contracts.ts';
import { fundDemoWallet } from '../../scripts/fund-demo-wallet.ts';

// Hardhat's first account: public, and rich on every local chain.
const deployerPrivateKey: Hex = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const relayAddress: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const payout: Address = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';

describe('deployContracts', () => {
  let rpcUrl = '';
  let directory = '';
  let stopServer: () => Promise<void>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'autopay-deploy-'));
    const server = await hre.network.createServer({ network: 'l2' }, '127.0.0.1', 0);
    const { address, port } = await server.listen();
    rpcUrl = `http://${address}:${port}`;
    stopServer = () => server.close();
  });

  after(async () => {
    await stopServer();
    await rm(directory, { recursive: true });
  });

  const deploy = (providers: Record<string, Address>) =>
    deployContracts({
      rpcUrl,
      chainId: 31337,
      deployerPrivateKey,
      relayAddress,
      providers,
      disputeWindowSeconds: 7200,
      deploymentDir: join(directory, 'journal'),
    });

  it('deploys everything, and nothing twice', async () => {
    const client = createPublicClient({ transport: http(rpcUrl) });
    const deployed = await deploy({ simulated: payout });
    const blockNumber = await client.getBlockNumber({ cacheTime: 0 });
    assert(blockNumber > 0n);
    const autoPayLLM = { address: deployed.autoPayLLM, abi: autoPayLlmAbi } as const;
    assert.equal(
      await client.readContract({ ...autoPayLLM, functionName: 'paymentChannels' }),
      deployed.paymentChannels,
    );
    assert.equal(await client.readContract({ ...autoPayLLM, functionName: 'auditLog' }), deployed.auditLog);
    assert.equal(await client.readContract({ ...autoPayLLM, functionName: 'modelBudgets' }), deployed.modelBudgets);
    assert.equal(await client.readContract({ ...autoPayLLM, functionName: 'disputeWindow' }), 7200n);
    for (const [address, role] of [
      [deployed.autoPayLLM, 'RELAY_ROLE'],
      [deployed.auditLog, 'ANCHOR_ROLE'],
    ] as const) {
      // Both contracts have hasRole from the same source, so either ABI serves.
      const args = [keccak256(toBytes(role)), relayAddress] as const;
      assert.equal(await client.readContract({ address, abi: auditLogAbi, functionName: 'hasRole', args }), true, role);
    }

    assert.deepEqual(await deploy({ simulated: payout }), deployed);
    assert.equal(await client.getBlockNumber({ cacheTime: 0 }), blockNumber, 'no transaction');

    // Another provider: its name and its address, and nothing else.
    assert.deepEqual(await deploy({ simulated: payout, 'open-ai': relayAddress }), deployed);
    assert.equal(await client.getBlockNumber({ cacheTime: 0 }), blockNumber + 2n, 'two transactions');
    const payoutOf = (name: string) =>
      client.readContract({ ...autoPayLLM, functionName: 'payoutOf', args: [keccak256(toBytes(name))] });
    assert.equal(await payoutOf('simulated'), payout);
    assert.equal(await payoutOf('open-ai'), relayAddress);

    const wallet: Address = '0x00000000000000000000000000000000000000A1';
    await fundDemoWallet({
      rpcUrl,
      usdc: deployed.usdc,
      deployerPrivateKey,
      to: wallet,
      usdcAtomic: 100_000_000n,
      weiAmount: 10n ** 18n,
    });
    const token = { address: deployed.usdc, abi: fiatTokenAbi } as const;
    assert.equal(await client.readContract({ ...token, functionName: 'balanceOf', args: [wallet] }), 100_000_000n);
    assert.equal(await client.getBalance({ address: wallet }), 10n ** 18n);
  });

  it('refuses another chain', async () => {
    const wrong = deployContracts({
      rpcUrl,
      chainId: 8453,
      deployerPrivateKey,
      relayAddress,
      providers: {},
      disputeWindowSeconds: 3600,
      deploymentDir: join(directory, 'other'),
    });
    await assert.rejects(wrong, { code: 'invalid_configuration' });
  });

  it('refuses the journal of a chain that started anew', async () => {
    await deploy({ simulated: payout });
    const oldRpcUrl = rpcUrl;
    const server = await hre.network.createServer({ network: 'l2' }, '127.0.0.1', 0);
    try {
      const { address, port } = await server.listen();
      rpcUrl = `http://${address}:${port}`;
      await assert.rejects(deploy({ simulated: payout }), { code: 'invalid_configuration' });
    } finally {
      rpcUrl = oldRpcUrl;
      await server.close();
    }
  });
});
