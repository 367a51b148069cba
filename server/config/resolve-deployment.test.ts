import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contractAddressesSchema } from '../../protocol/deployment/deployment-schema.ts';
import { writeAddressFile } from '../../scripts/deploy/write-address-file.ts';
import { loadConfig, parseConfig } from './load-config.ts';

const names = Object.keys(contractAddressesSchema.shape);
const contractsAt = (digit: string) =>
  contractAddressesSchema.parse(Object.fromEntries(names.map((name) => [name, `0x${digit.repeat(40)}`])));
const listed = (digit: string) =>
  `contracts: { ${names.map((name) => `${name}: "0x${digit.repeat(40)}"`).join(', ')} }`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-addresses-'));
  const tokens = { USDC: { address: `0x${'4'.repeat(40)}` as const, decimals: 6 } };
  await writeAddressFile(folder, { chainId: 8453, deployedAtBlock: 77, contracts: contractsAt('a'), tokens });
});
afterAll(() => rm(folder, { recursive: true }));

/** Loads a configuration with this `chain`, and `contracts` or not, where `addresses/` has a file of chain 8453. */
async function load(chain: string, contracts = '') {
  const file = join(folder, 'autopay.yaml');
  const rest = [
    `tokens: [{ symbol: USDC, address: "0x${'4'.repeat(40)}", decimals: 6 }]`,
    'providers: [{ name: p, baseUrl: http://127.0.0.1:1/v1 }]',
    'routes: [{ model: m, free: true, deployments: [{ provider: p, model: m }] }]',
  ];
  await writeFile(file, [`chain: { rpcUrl: http://127.0.0.1:1, ${chain} }`, contracts, ...rest].join('\n'));
  return loadConfig(file, { publishedDir: folder });
}

describe('the contracts of a configuration', () => {
  it('are those that autopay deploy published for its chain, if it names none', async () => {
    const config = await load('id: 8453');
    expect(config.contracts).toEqual(contractsAt('a'));
    expect(config.chain).toMatchObject({ id: 8453, deployedAtBlock: 77, maxBlocksPerQuery: 10_000 });
    expect((await load('id: 8453, deployedAtBlock: 5')).chain.deployedAtBlock).toBe(5);
  });

  it('need no word in the example of DEPLOYMENTS', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/DEPLOYMENTS.md'), 'utf8');
    const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
    const config = parseConfig(example, 'DEPLOYMENTS.md', { publishedDir: folder });
    expect([config.contracts, config.routes[0]?.model]).toEqual([contractsAt('a'), 'gpt-4o-mini']);
  });

  it('are those that it names, whatever is published', async () => {
    const config = await load('id: 8453, deployedAtBlock: 5', listed('b'));
    expect(config.contracts).toEqual(contractsAt('b'));
    expect(config.chain.deployedAtBlock).toBe(5);
    expect((await load('id: 1, deployedAtBlock: 0', listed('b'))).contracts).toEqual(contractsAt('b'));
  });

  it('are not taken with the first block of others', async () => {
    await expect(load('id: 8453', listed('b'))).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining(':1:1: chain needs deployedAtBlock, the first block of the contracts'),
    });
  });

  it('are refused with a remedy where nothing is published, or what is published is of another chain or broken', async () => {
    const fault = (id: number) =>
      load(`id: ${id}`).then(
        () => 'accepted',
        (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
      );
    expect(await fault(10)).toMatch(
      /^invalid_configuration: .*contracts is missing, .*there is no addresses\/10\.json\. Run autopay deploy\.$/s,
    );
    await writeAddressFile(folder, { chainId: 137, deployedAtBlock: 1, contracts: contractsAt('c'), tokens: {} });
    await copyFile(join(folder, '137.json'), join(folder, '10.json'));
    expect(await fault(10)).toContain('addresses/10.json tells of chain 137. Rename it to 137.json');
    await writeFile(join(folder, '10.json'), '{"chainId": 10}');
    expect(await fault(10)).toMatch(/addresses\/10\.json cannot be read \(.*\)\. Run autopay deploy again\./s);
    await writeFile(join(folder, '10.json'), '{');
    expect(await fault(10)).toContain('addresses/10.json cannot be read (it is no JSON)');
  });
});
