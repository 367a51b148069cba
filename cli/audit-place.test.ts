import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChainDouble, type ChainDouble } from '../client/testing/chain-double.ts';
import { cidOfBlock } from '../protocol/log/batch-block.ts';
import { contractAddressesSchema } from '../protocol/deployment/deployment-schema.ts';
import { findAuditPlace, openBlocks, openLogSource, type AuditPlace } from './audit-place.ts';
import type { CommandContext } from './command-context.ts';
import type { Stack } from './read-stack.ts';

let folder: string;
let chain: ChainDouble;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-place-'));
  chain = await startChainDouble();
});
afterAll(async () => {
  await chain.close();
  await rm(folder, { recursive: true, force: true });
});

const address = `0x${'11'.repeat(20)}` as const;
const contracts = Object.fromEntries(Object.keys(contractAddressesSchema.shape).map((name) => [name, address]));
const deployment = (chainId: number) => ({ chainId, deployedAtBlock: 7, contracts, tokens: {} });
const stack = {
  ...deployment(31_337),
  rpcUrl: 'http://rpc',
  relayUrl: 'http://relay',
  dataDir: '/data',
  blocksDir: '/data/blocks',
};
const context = (dataDir = folder) =>
  ({ dataDir, stack: () => Promise.resolve(stack as unknown as Stack) }) as unknown as CommandContext;

describe('where a verification works', () => {
  it('is the stack, unless it is told otherwise', async () => {
    const place = await findAuditPlace(context(), {});
    expect(place).toMatchObject({
      deployment: { rpcUrl: 'http://rpc', chainId: 31_337, deployedAtBlock: 7 },
      stateDir: '/data/client',
    });
    expect(openLogSource({}, place)?.name).toBe('http://relay');
    await expect(findAuditPlace(context(), { contracts: 'x' })).rejects.toThrow('--contracts goes with --rpc');
  });

  it('is an endpoint and a file with contracts, of the same chain', async () => {
    const file = join(folder, 'contracts.json');
    const rpc = chain.rpcUrl;
    await writeFile(file, JSON.stringify({ ...deployment(31_337), more: 'as in a stack.json' }));
    const place = await findAuditPlace(context(), { rpc, contracts: file });
    expect(place).toMatchObject({ deployment: { rpcUrl: rpc, contracts }, stateDir: join(folder, 'client') });
    expect(place.stack).toBeUndefined();
    expect(openLogSource({}, place)).toBeUndefined();
    const refusal = (options: object) => findAuditPlace(context(), { rpc, contracts: file, ...options });
    await writeFile(file, JSON.stringify(deployment(10)));
    await expect(refusal({})).rejects.toThrow('tells of chain 10, and the endpoint is on chain 31337');
    await writeFile(file, '{');
    await expect(refusal({})).rejects.toThrow('does not say where the contracts are');
    await expect(refusal({ contracts: join(folder, 'none') })).rejects.toMatchObject({ code: 'invalid_configuration' });
    await expect(refusal({ rpc: 'nowhere' })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(refusal({ rpc: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'chain_unavailable' });
  });
});

describe('the blocks', () => {
  it('come from what was named, or else from the stack’s folder', async () => {
    const bytes = Buffer.from([0xa0]);
    const cid = cidOfBlock(bytes);
    const blocksDir = join(folder, 'blocks');
    await mkdir(blocksDir);
    await writeFile(join(blocksDir, cid.toString()), bytes);
    const place = { stack: { blocksDir } } as unknown as AuditPlace;
    const without: AuditPlace = { ...place };
    delete without.stack;
    const read = async (options: object, where = place) => {
      const { source, close } = await openBlocks(options, where);
      return source.get(cid).finally(close);
    };
    expect(await read({})).toEqual(bytes);
    expect(await read({ blocks: blocksDir }, without)).toEqual(bytes);
    // What is named stands for itself.
    await expect(read({ ipfs: 'http://127.0.0.1:1' })).rejects.toThrow();
    expect(await read({ ipfs: 'http://127.0.0.1:1', blocks: blocksDir })).toEqual(bytes);
    await expect(openBlocks({}, without)).rejects.toThrow('Say where the blocks of the log are');
    await expect(openBlocks({ car: join(blocksDir, cid.toString()) }, place)).rejects.toMatchObject({
      code: 'invalid_encoding',
    });
  });
});
