import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { contractAddressesSchema } from '../protocol/deployment/deployment-schema.ts';
import { readSettings } from './read-settings.ts';

const contractsAt = (digit: string) =>
  Object.fromEntries(Object.keys(contractAddressesSchema.shape).map((name) => [name, `0x${digit.repeat(40)}`]));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-settings-'));
  const published = { chainId: 8453, deployedAtBlock: 77, contracts: contractsAt('a'), tokens: {} };
  await writeFile(join(folder, '8453.json'), JSON.stringify(published));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(config: { chain: object; contracts?: object }) {
  const tokens = [{ symbol: 'USDC', address: `0x${'4'.repeat(40)}`, decimals: 6 }];
  await writeFile(
    join(folder, 'autopay.yaml'),
    JSON.stringify({ ...config, tokens, routes: [{ model: 'm', free: true }] }),
  );
  return readSettings(folder, folder);
}
const chain = { id: 8453, rpcUrl: 'http://127.0.0.1:1' };

it('takes the contracts that a configuration does not name from what is published of its chain', async () => {
  const settings = await read({ chain });
  expect(settings).toMatchObject({ chainId: 8453, deployedAtBlock: 77 });
  expect(settings.contracts.keyRegistry).toBe(`0x${'a'.repeat(40)}`);
  const own = await read({ chain: { ...chain, deployedAtBlock: 5 }, contracts: contractsAt('b') });
  expect(own).toMatchObject({ deployedAtBlock: 5, contracts: { auditLog: `0x${'b'.repeat(40)}` } });
});

it('refuses a configuration without contracts where nothing is published, or a first block of other contracts', async () => {
  await expect(read({ chain: { ...chain, id: 10 } })).rejects.toMatchObject({
    code: 'invalid_configuration',
    message: expect.stringContaining('there is no addresses/10.json'),
  });
  await expect(read({ chain, contracts: contractsAt('b') })).rejects.toThrow(/a number is missing/);
});
