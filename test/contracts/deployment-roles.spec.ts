/** Who holds power after a deployment: from the role events of that deployment, and by asking. */
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import hre from 'hardhat';
import { after, before, describe, it } from 'mocha';
import { createPublicClient, getAddress, http, zeroAddress, zeroHash } from 'viem';
import type { Address, Hex } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { deploySystem } from '../../scripts/deploy/deploy-system.ts';
import { readNetworkParameters } from '../../scripts/deploy/network-parameters.ts';
import { readRoles, type RoleHolders } from '../../scripts/deploy/read-roles.ts';
import { roleId } from '../../ignition/modules/AutoPay.ts';

const deployerPrivateKey: Hex = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const deployer: Address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
const relay: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const guardian: Address = '0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65';
const payout: Address = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';

describe('the roles after a deployment', () => {
  let rpcUrl = '';
  let directory = '';
  let stop: () => Promise<void>;
  let deployment: Deployment;
  let roles: RoleHolders;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'autopay-roles-'));
    const server = await hre.network.createServer({ network: 'l2' }, '127.0.0.1', 0);
    const { address, port } = await server.listen();
    rpcUrl = `http://${address}:${port}`;
    stop = () => server.close();
    deployment = await deploySystem({
      ...{ rpcUrl, chainId: 31337, deployerPrivateKey, deploymentDir: directory },
      network: readNetworkParameters('local'),
      choices: {
        ...{ relay, guardian, bondPayout: payout, agptHolder: payout, agptSupply: 10n ** 24n },
        providers: { simulated: payout },
      },
      priceRootOf: () => zeroHash,
    });
    roles = await readRoles({ rpcUrl, deployment });
  });

  after(async () => {
    await stop();
    await rm(directory, { recursive: true });
  });

  it('are exactly those that were designed', () => {
    const at = (name: keyof Deployment['contracts']) => getAddress(deployment.contracts[name]);
    assert.deepEqual(roles, {
      'autoPayLLM.DEFAULT_ADMIN_ROLE': [at('timelock')],
      'autoPayLLM.RELAY_ROLE': [relay],
      'autoPayLLM.GUARDIAN_ROLE': [guardian],
      'autoPayLLM.DESK_ROLE': [at('paymentDesk')],
      'autoPayLLM.DISPUTES_ROLE': [at('billingDisputes')],
      'auditLog.DEFAULT_ADMIN_ROLE': [at('timelock')],
      'auditLog.ANCHOR_ROLE': [relay],
      'keyRegistry.DEFAULT_ADMIN_ROLE': [at('timelock')],
      'keyRegistry.KEYS_ROLE': [relay],
      'timelock.DEFAULT_ADMIN_ROLE': [at('timelock')],
      'timelock.PROPOSER_ROLE': [at('governor')],
      // The zero address: anyone may execute what the vote decided.
      'timelock.EXECUTOR_ROLE': [zeroAddress],
      'timelock.CANCELLER_ROLE': [at('governor')],
    });
  });

  it('leave no account without code any but the relay’s and the guardian’s', async () => {
    const reader = createPublicClient({ transport: http(rpcUrl) });
    const held: string[] = [];
    for (const [role, holders] of Object.entries(roles)) {
      for (const holder of holders) {
        if (holder === zeroAddress || (await reader.getCode({ address: holder })) !== undefined) continue;
        held.push(`${role} ${holder}`);
      }
    }
    assert.deepEqual(held.sort(), [
      `auditLog.ANCHOR_ROLE ${relay}`,
      `autoPayLLM.GUARDIAN_ROLE ${guardian}`,
      `autoPayLLM.RELAY_ROLE ${relay}`,
      `keyRegistry.KEYS_ROLE ${relay}`,
    ]);
  });

  it('leave the deployer nothing, also when asked', async () => {
    const reader = createPublicClient({ transport: http(rpcUrl) });
    for (const name of Object.keys(roles)) {
      const [contract = '', role = ''] = name.split('.');
      const answer = await reader.readContract({
        address: deployment.contracts[contract as keyof Deployment['contracts']],
        // All of them have hasRole from the same source.
        ...{ abi: auditLogAbi, functionName: 'hasRole', args: [roleId(role), deployer] },
      });
      assert.equal(answer, false, name);
    }
  });

  it('are on no contract that could have any but those', async () => {
    const reader = createPublicClient({ transport: http(rpcUrl) });
    const known = Object.keys(roles).map((name) => name.split('.')[0]);
    for (const [name, address] of Object.entries(deployment.contracts)) {
      const asked = reader.readContract({
        address,
        ...{ abi: auditLogAbi, functionName: 'hasRole', args: [roleId('DEFAULT_ADMIN_ROLE'), deployer] },
      });
      if (known.includes(name)) await asked;
      else await assert.rejects(asked, `${name} has roles`);
    }
  });
});
