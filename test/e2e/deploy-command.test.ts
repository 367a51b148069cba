import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deploymentSchema } from '../../protocol/deployment/deployment-schema.ts';
import { LOCAL_DEPLOYER_KEY } from '../../scripts/stack/start-local-chain.ts';
import { startChain, type LocalChain } from '../support/start-chain.ts';

const root = join(import.meta.dirname, '../..');
const account = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';

let chain: LocalChain;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-deploy-'));
  chain = await startChain();
});

afterAll(async () => {
  await chain.stop();
  await rm(folder, { recursive: true, force: true });
});

/** `scripts/deploy-network.ts`, which `autopay deploy` runs. */
async function deploy(changes: Record<string, unknown> = {}, key: string = LOCAL_DEPLOYER_KEY) {
  const child = spawn(process.execPath, [join(root, 'scripts/deploy-network.ts')], {
    cwd: root,
    env: { ...process.env, AUTOPAY_DEPLOYER_KEY: key, ETHERSCAN_API_KEY: '' },
  });
  const request = {
    network: 'local',
    folder,
    rpcUrl: chain.rpcUrl,
    relay: account,
    bondPayout: account,
    agptHolder: account,
  };
  child.stdin.end(JSON.stringify({ ...request, agptSupply: '1000', providers: { simulated: account }, ...changes }));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

it('deploys, writes the addresses, says who holds the votes, and does nothing twice', async () => {
  const first = await deploy();
  expect(first).toMatchObject({ code: 0 });
  expect(first.stderr).toMatch(/compared with the parameters; wrote .*addresses\/31337\.json/);
  expect(first.stderr).toMatch(/sources are not verified: set ETHERSCAN_API_KEY/);
  expect(first.stderr).toMatch(/holds 1,000 of 1,000 AGPT \(100 %\)/);
  const deployment: unknown = JSON.parse(first.stdout.slice(first.stdout.indexOf('{\n')));
  expect(deploymentSchema.parse(JSON.parse(await readFile(join(folder, 'addresses/31337.json'), 'utf8')))).toEqual(
    deployment,
  );

  const blocks = await chain.request('eth_blockNumber');
  const second = await deploy();
  expect(second.stderr).toMatch(/has its deployment already/);
  expect(JSON.parse(second.stdout.slice(second.stdout.indexOf('{\n')))).toEqual(deployment);
  expect(await chain.request('eth_blockNumber')).toBe(blocks);
}, 60_000);

it('refuses a deployer without money, naming what is missing', async () => {
  const refused = await deploy({ folder: join(folder, 'poor') }, `0x${'5'.repeat(64)}`);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/has 0 ETH, and the deployment may take .* \(insufficient_balance\)/);
}, 60_000);

it('refuses an address that is none', async () => {
  const refused = await deploy({ relay: '0x1' });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/not an address \(0x and 40 hex digits\)[\s\S]*relay/);
}, 60_000);
