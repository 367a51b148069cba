/** The deployment against a chain behind JSON-RPC, as `npm start` and `autopay deploy` use it. */
import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import hre from 'hardhat';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createPublicClient, getAddress, http, keccak256, toBytes, zeroHash } from 'viem';
import type { Address, Hex } from 'viem';
import type { AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { deploymentSchema } from '../../protocol/deployment/deployment-schema.ts';
import { checkDeployment } from '../../scripts/deploy/check-deployment.ts';
import { deploySystem, type DeploySystemOptions } from '../../scripts/deploy/deploy-system.ts';
import { describeVotes } from '../../scripts/deploy/describe-votes.ts';
import { readNetworkParameters } from '../../scripts/deploy/network-parameters.ts';
import { planDeployment } from '../../scripts/deploy/plan-deployment.ts';
import { readRoles } from '../../scripts/deploy/read-roles.ts';
import { DEPLOYMENT_BYTES, DEPLOYMENT_GAS, requireBalance } from '../../scripts/deploy/require-balance.ts';
import { requireForeignContracts } from '../../scripts/deploy/require-foreign-contracts.ts';
import { writeAddressFile } from '../../scripts/deploy/write-address-file.ts';
import { fundDemoWallet } from '../../scripts/fund-demo-wallet.ts';

// Hardhat's first account: public, and rich on every local chain.
const deployerPrivateKey: Hex = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const relay: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const payout: Address = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';
const holder: Address = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const guardian: Address = '0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65';

async function startChain() {
  const server = await hre.network.createServer({ network: 'l2' }, '127.0.0.1', 0);
  const { address, port } = await server.listen();
  return { rpcUrl: `http://${address}:${port}`, stop: () => server.close() };
}

/** A JSON-RPC endpoint in front of another that lets so many transactions through and refuses every later one. */
async function startCutOff(rpcUrl: string, transactions: number): Promise<{ url: string; server: Server }> {
  let left = transactions;
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      const isCutOff = body.includes('eth_sendRawTransaction') && left-- <= 0;
      const { id } = JSON.parse(body) as { id: number };
      response.setHeader('content-type', 'application/json');
      if (isCutOff) {
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_000, message: 'the line is cut' } }));
        return;
      }
      const answer = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      response.end(await answer.text());
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe('deploySystem', () => {
  let chain: Awaited<ReturnType<typeof startChain>>;
  let directory = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'autopay-deploy-'));
    chain = await startChain();
  });

  afterEach(async () => {
    await chain.stop();
    await rm(directory, { recursive: true });
  });

  const choices = {
    ...{ relay, guardian, bondPayout: payout, agptHolder: holder },
    agptSupply: 1_000_000n * 10n ** 18n,
    providers: { simulated: payout },
  };
  const deploy = (changes: Partial<DeploySystemOptions> = {}) =>
    deploySystem({
      rpcUrl: chain.rpcUrl,
      chainId: 31337,
      deployerPrivateKey,
      deploymentDir: join(directory, 'journal'),
      network: readNetworkParameters('local'),
      choices,
      priceRootOf: () => zeroHash,
      ...changes,
    });
  const blockNumber = () => createPublicClient({ transport: http(chain.rpcUrl) }).getBlockNumber({ cacheTime: 0 });

  it('deploys everything, compares it with the parameters, and deploys nothing twice', async () => {
    let named = '';
    const priceRoot = keccak256(toBytes('table'));
    const deployment = await deploy({
      priceRootOf(tokens) {
        named = Object.keys(tokens).join();
        return priceRoot;
      },
    });
    assert.equal(named, 'USDC,AGPT', 'the tokens are known before the price table');
    const deployedAt = await blockNumber();
    assert(deployedAt > 0n);
    const client = createPublicClient({ transport: http(chain.rpcUrl) });
    const inForce = await client.readContract({
      ...{ address: deployment.contracts.priceBook, abi: priceBookAbi, functionName: 'isInForce' },
      args: [priceRoot, BigInt(Math.floor(Date.now() / 1000))],
    });
    assert.equal(inForce, true);
    // Asked for again, even for another table: what is there stays.
    assert.deepEqual(await deploy(), deployment);
    assert.equal(await blockNumber(), deployedAt, 'no transaction');

    const wallet: Address = '0x00000000000000000000000000000000000000A1';
    const usdc = deployment.tokens['USDC']?.address;
    assert(usdc);
    const gift = { usdcAtomic: 100_000_000n, weiAmount: 10n ** 18n };
    await fundDemoWallet({ rpcUrl: chain.rpcUrl, usdc, deployerPrivateKey, to: wallet, ...gift });
    const token = { address: usdc, abi: fiatTokenAbi } as const;
    assert.equal(await client.readContract({ ...token, functionName: 'balanceOf', args: [wallet] }), 100_000_000n);
    assert.equal(await client.getBalance({ address: wallet }), 10n ** 18n);
  });

  it('finds each value and role that is not as it was to be', async () => {
    const deployment = await deploy();
    const usdc = deployment.tokens['USDC']?.address;
    assert(usdc);
    const found = { usdc: getAddress(usdc), priceRoot: zeroHash };
    const plan = planDeployment(readNetworkParameters('local'), choices, found);
    const check = (wrong: Partial<AutoPayPlan>) =>
      checkDeployment({ rpcUrl: chain.rpcUrl, deployment, plan: { ...plan, ...wrong } });
    await check({});

    const terms = { claimantBond: 1n, minPenalty: 2n };
    const wrong: [Partial<AutoPayPlan>, string[]][] = [
      [{ agpt: { holder, supply: 1n } }, ['agpt.totalSupply']],
      [{ relay: holder }, ['autoPayLLM.RELAY_ROLE', 'auditLog.ANCHOR_ROLE', 'keyRegistry.KEYS_ROLE']],
      [{ relay: holder }, ['keyRegistry.relayKeySigns']],
      [{ guardian: holder }, ['autoPayLLM.GUARDIAN_ROLE']],
      [{ bondPayout: holder }, ['autoPayLLM.bondPayout']],
      [{ providers: [{ name: 'simulated', payout: holder }] }, ['autoPayLLM.payouts']],
      [{ disputeWindow: 1n, mergeDelay: 2n }, ['autoPayLLM.disputeWindow', 'billingDisputes.maxMergeDelay']],
      [{ defaultDailyLimit: 1n, usdcRate: 2n }, ['modelBudgets.defaultLimit', 'modelBudgets.rates']],
      [{ priceRoot: keccak256(toBytes('table')) }, ['priceBook.isInForce']],
      [{ sequencerFeed: holder }, ['priceOracle.sequencerFeed']],
      [{ usdcUsdFeed: { feed: holder, heartbeatSeconds: 1n } }, ['priceOracle.usdcFeed', 'priceOracle.usdcHeartbeat']],
      [{ disputeTerms: { ...plan.disputeTerms, AGPT: terms } }, ['billingDisputes.terms']],
      [{ permit2: holder }, ['paymentDesk.permit2']],
      [{ x402: { exactProxy: holder, uptoProxy: relay } }, ['paymentDesk.exactProxy', 'paymentDesk.uptoProxy']],
      [
        {
          governance: {
            ...{ votingDelay: 7n, votingPeriod: 7n, lateQuorumExtension: 7n, proposalThreshold: 7n, quorumPercent: 7n },
            timelockDelay: 7n,
          },
        },
        [
          ...['timelock.getMinDelay', 'governor.votingDelay', 'governor.votingPeriod'],
          ...['governor.lateQuorumVoteExtension', 'governor.proposalThreshold', 'governor.quorumNumerator'],
        ],
      ],
    ];
    for (const [change, names] of wrong) {
      await assert.rejects(check(change), ({ message }: Error) => {
        for (const name of names) assert(message.includes(`${name} is `), `${name} in: ${message}`);
        return true;
      });
    }
  });

  it('says who holds the votes', async () => {
    const text = await describeVotes({ rpcUrl: chain.rpcUrl, deployment: await deploy(), holder });
    assert.match(text, new RegExp(`${holder} holds 1,000,000 of 1,000,000 AGPT \\(100 %\\)`));
    assert.match(text, /No votes are delegated yet/);
  });

  it('completes what was interrupted, wherever that was, and hands everything over', async () => {
    // Enough cuts to fall into the deployment, the wiring and the handover.
    for (const transactions of [3, 12, 10]) {
      const { url, server } = await startCutOff(chain.rpcUrl, transactions);
      try {
        await assert.rejects(deploy({ rpcUrl: url }), /the line is cut/, `cut after ${transactions} more transactions`);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    }
    const deployment = await deploy();
    const roles = await readRoles({ rpcUrl: chain.rpcUrl, deployment });
    assert.deepEqual(
      roles['autoPayLLM.DEFAULT_ADMIN_ROLE']?.map((address) => address.toLowerCase()),
      [deployment.contracts.timelock],
    );
  });

  it('takes about as much gas as the deployer is asked to have', async () => {
    const first = await deploy();
    const from = await blockNumber();
    const usdc = first.tokens['USDC']?.address;
    assert(usdc);
    const choices = {
      ...{ relay, guardian, bondPayout: payout, agptHolder: holder, usdc },
      agptSupply: 1_000_000n * 10n ** 18n,
      providers: { simulated: payout, openai: payout, anthropic: payout },
    };
    await deploy({ choices, deploymentDir: join(directory, 'with USDC') });
    const client = createPublicClient({ transport: http(chain.rpcUrl) });
    let [gas, bytes] = [0n, 0];
    for (let number = from + 1n; number <= (await blockNumber()); number += 1n) {
      const block = await client.getBlock({ blockNumber: number, includeTransactions: true });
      gas += block.gasUsed;
      for (const { input } of block.transactions) bytes += (input.length - 2) / 2 + 120;
    }
    console.log(`      gas ${gas}, bytes ${bytes}`);
    assert(
      gas <= DEPLOYMENT_GAS && gas >= (DEPLOYMENT_GAS * 8n) / 10n,
      `it takes ${gas}, asked for are ${DEPLOYMENT_GAS}`,
    );
    assert(BigInt(bytes) <= DEPLOYMENT_BYTES, `it takes ${bytes} bytes, asked for are ${DEPLOYMENT_BYTES}`);
  });

  it('refuses a deployer that could not pay for all of it', async () => {
    const poor: Hex = `0x${'5'.repeat(64)}`;
    const request = { rpcUrl: chain.rpcUrl, nativeToken: 'ETH' };
    await assert.rejects(requireBalance({ ...request, deployerPrivateKey: poor }), {
      code: 'insufficient_balance',
      message: /has 0 ETH, and the deployment may take 0\.\d+: send it 0\.\d+ ETH/,
    });
    assert((await requireBalance({ ...request, deployerPrivateKey })) > 0n);
  });

  it('refuses a chain that lacks what the parameters name', async () => {
    await assert.rejects(requireForeignContracts(chain.rpcUrl, readNetworkParameters('base')), {
      code: 'invalid_configuration',
      message: /no contract at 0x8335.*USDC of Base/,
    });
    await requireForeignContracts(chain.rpcUrl, readNetworkParameters('local'));
  });

  it('writes addresses/<chainId>.json as it is read again', async () => {
    const deployment = await deploy();
    const file = await writeAddressFile(join(directory, 'addresses'), deployment);
    assert.equal(file, join(directory, 'addresses', '31337.json'));
    const written: unknown = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual(deploymentSchema.parse(written), deployment);
    assert.match(JSON.stringify(written), new RegExp(getAddress(deployment.contracts.agpt)), 'with checksums');
  });

  it('refuses another chain', async () => {
    await assert.rejects(deploy({ chainId: 8453 }), { code: 'invalid_configuration' });
  });

  it('refuses the folder of another deployment', async () => {
    await deploy();
    const choices = { relay: holder, bondPayout: payout, agptHolder: holder, agptSupply: 1n, providers: {} };
    await assert.rejects(deploy({ choices }), { code: 'invalid_configuration', message: /with relay 0x7099/ });
  });

  it('refuses the journal of a chain that started anew', async () => {
    await deploy();
    const another = await startChain();
    try {
      await assert.rejects(deploy({ rpcUrl: another.rpcUrl }), { code: 'invalid_configuration', message: /anew/ });
    } finally {
      await another.stop();
    }
  });

  it('refuses times that contradict each other before anything is paid for', async () => {
    const network = readNetworkParameters('local');
    const governance = { ...network.governance, timelockDelaySeconds: 7800 };
    await assert.rejects(deploy({ network: { ...network, governance } }), {
      code: 'invalid_configuration',
      message: /must exceed 7800/,
    });
    assert.equal(await blockNumber(), 0n, 'no transaction');
  });
});
