import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { toHex } from '../../protocol/bytes/hex.ts';
import { runAnchoring } from '../audit/run-anchoring.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import { ipfsSchema } from '../config/schema/ipfs-section.ts';
import { createPinning, type CreatePinningOptions, type Pinning } from './create-pinning.ts';
import { answerFailure, startFakeIpfsNode, type FakeIpfsNode } from './fake-ipfs-node.ts';
import { startFakePinningService } from './fake-pinning-service.ts';
import { openTestLog, rememberWarnings, type TestLog } from './ipfs-fixture.ts';

let log: TestLog;
let fake: FakeIpfsNode;

/** A log and a node for each test of a group. */
function useLogAndNode(): void {
  beforeEach(async () => {
    log = await openTestLog();
    fake = await startFakeIpfsNode();
  });
  afterEach(async () => {
    await fake.close();
    await log.close();
  });
}

async function open(
  ipfs: Record<string, unknown>,
  env: Record<string, string> = {},
  { ledger, blocks }: Pick<TestLog, 'ledger' | 'blocks'> = log,
): Promise<Pinning> {
  const config = { audit: { ipfs: ipfsSchema.parse(ipfs) } } as CreatePinningOptions['config'];
  const pinning = await createPinning({
    config,
    ledger,
    blocks,
    env,
    log: rememberWarnings(),
    nowMs: () => Date.now(),
  });
  onTestFinished(() => pinning.stop());
  return pinning;
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 10 });

describe('the keepers of the log', () => {
  useLogAndNode();

  it('are none unless the operator names them', async () => {
    await log.addBlocks(1);
    const pinning = await open({});
    pinning.start();
    await pinning.requirePinned({ size: 1 });
    expect(pinning.state()).toEqual({ node: null, services: [] });
  });

  it('are the node of IPFS_API_URL, whose backlog the health tells', async () => {
    await log.addBlocks(2);
    fake.intercept = (_, response) => answerFailure(response, 'not yet');
    const pinning = await open({ intervalSeconds: 1 }, { IPFS_API_URL: `${fake.url}/` });
    pinning.start();
    await eventually(() => expect(pinning.state().node).toMatchObject({ waiting: 2, pinnedSize: 0 }));
    fake.intercept = () => false;
    await eventually(() => expect(pinning.state().node).toEqual({ waiting: 0, pinnedSize: 2, failure: null }));
    expect(fake.pins.size).toBe(2);
  });

  it('are told apart: another node starts with nothing', async () => {
    await log.addBlocks(1);
    (await open({ apiUrl: fake.url })).start();
    await eventually(() => expect(fake.pins.size).toBe(1));
    const other = await startFakeIpfsNode();
    onTestFinished(() => other.close());
    (await open({ apiUrl: other.url }, { IPFS_API_URL: fake.url })).start();
    await eventually(() => expect(other.pins.size).toBe(1));
  });

  it('are services too, each with its token', async () => {
    await log.addBlocks(2);
    const service = await startFakePinningService();
    service.state = 'pinned';
    onTestFinished(() => service.close());
    const services = [{ name: 'one', endpoint: service.endpoint, tokenEnv: 'ONE_TOKEN' }];
    const pinning = await open({ services }, { ONE_TOKEN: service.token });
    pinning.start();
    await eventually(() => expect(pinning.state().services).toEqual([{ name: 'one', pinnedSize: 2, failure: null }]));
  });

  it('do not hold up the end of the relay, though they hang', async () => {
    await log.addBlocks(1);
    fake.intercept = () => true;
    const pinning = await open({ apiUrl: fake.url, timeoutSeconds: 600 });
    pinning.start();
    await eventually(() => expect(fake.asked).not.toEqual([]));
    await pinning.stop();
  });
});

describe('an anchor that has to wait for the node', () => {
  useLogAndNode();

  it('does until the block is pinned, with all before it', async () => {
    const pinning = await open({ apiUrl: fake.url, required: true });
    await log.addBlocks(2);
    await pinning.requirePinned({ size: 2 });
    expect(fake.pins.size).toBe(2);
    await fake.close();
    await pinning.requirePinned({ size: 2 });
    await log.addBlocks(1);
    await expect(pinning.requirePinned({ size: 3 })).rejects.toMatchObject({
      code: 'ipfs_unavailable',
      message: expect.stringContaining('up to 2 only'),
    });
  });

  it('is not sent before, and is then', async () => {
    const { requirePinned } = await open({ apiUrl: fake.url, required: true });
    await log.addBlocks(1);
    const sent: string[] = [];
    const send = async ({ purpose }: { purpose: string }) => {
      sent.push(purpose);
      return { transactionHash: toHex(Buffer.alloc(32, 7)) };
    };
    const { ledger, blocks } = log;
    const auditLog = toHex(Buffer.alloc(20, 1));
    const deps = { ledger, blocks, queue: { send } as unknown as TransactionQueue, auditLog, log: rememberWarnings() };
    fake.intercept = (_, response) => answerFailure(response, 'not yet');
    await expect(runAnchoring({ ...deps, requirePinned })).rejects.toMatchObject({ code: 'ipfs_unavailable' });
    expect([sent, await ledger.anchoredSize()]).toEqual([[], 0]);
    fake.intercept = () => false;
    // A block that failed is tried again after five seconds.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000);
    onTestFinished(() => void vi.restoreAllMocks());
    expect(await runAnchoring({ ...deps, requirePinned })).toMatchObject({ size: 1 });
    expect(sent).toEqual(['anchor:1']);
  });

  it('waits for nothing by default', async () => {
    const pinning = await open({ apiUrl: fake.url });
    await log.addBlocks(1);
    await pinning.requirePinned({ size: 1 });
    expect(fake.asked).toEqual([]);
  });
});

describe('a mistake in the configuration', () => {
  const service = { name: 'one', endpoint: 'https://psa.example', tokenEnv: 'ONE_TOKEN' };

  it.each<[string, Record<string, unknown>, Record<string, string>]>([
    ['required without a node', { required: true }, {}],
    ['no URL', {}, { IPFS_API_URL: '/ip4/127.0.0.1/tcp/5001' }],
    ['credentials in the URL', {}, { IPFS_API_URL: 'http://user:word@127.0.0.1:5001' }],
    ['a password without a user', {}, { IPFS_API_URL: 'http://:word@127.0.0.1:5001' }],
    ['no authorization', { authorizationEnv: 'NODE_AUTH' }, { IPFS_API_URL: 'http://127.0.0.1:5001' }],
    ['a token with a line break', { services: [service] }, { ONE_TOKEN: 'a\nb' }],
    ['no token', { services: [service] }, {}],
  ])('%s stops the start', async (_, ipfs, env) => {
    await expect(open(ipfs, env, {} as TestLog)).rejects.toMatchObject({ code: 'invalid_configuration' });
  });
});
