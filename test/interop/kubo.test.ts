import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createGatewaySource } from '../../cli/gateway-source.ts';
import { openCarSource } from '../../fsck/car-source.ts';
import { verifyCall, type VerifyCallOptions } from '../../fsck/verify-call.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { createKubo, type Kubo } from '../support/start-kubo.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const bin = process.env['KUBO_BIN'];

/** What `GET /healthz` says of the node. */
interface NodeHealth {
  waiting: number;
  pinnedSize: number;
  failure: string | null;
}

interface PaidCall {
  callId: string;
  signedReceipt: SignedReceipt;
}

let kubo: Kubo;
let stack: TestStack;
let channelId: Hex;
let authorised = 0n;

async function pay(): Promise<PaidCall> {
  authorised += 1_000n;
  const paid = await stack.payer.pay({ channelId, cumulativeAmount: authorised });
  expect(paid.status).toBe(200);
  await paid.text();
  return {
    callId: paid.headers.get('x-autopay-call-id') ?? '',
    signedReceipt: decodeSignedReceipt(paid.headers.get('x-autopay-receipt') ?? ''),
  };
}

async function anchor(): Promise<{ size: number; cid: string; transactionHash: string | null }> {
  return (await stack.runJob('anchor')) as Awaited<ReturnType<typeof anchor>>;
}

async function readHealth(): Promise<NodeHealth> {
  const health = (await (await fetch(`${stack.stack.relayUrl}/healthz`)).json()) as { ipfs: { node: NodeHealth } };
  return health.ipfs.node;
}

const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 90_000, interval: 200 });
const untilPinned = (size: number) =>
  eventually(async () => expect(await readHealth()).toEqual({ waiting: 0, pinnedSize: size, failure: null }));

function verify({ callId, signedReceipt }: PaidCall, blockSource: VerifyCallOptions['blockSource']) {
  const { rpcUrl, chainId, contracts, deployedAtBlock } = stack.stack;
  return verifyCall({ callId, signedReceipt, rpcUrl, chainId, contracts, deployedAtBlock, blockSource });
}

describe.skipIf(bin === undefined)('the log at a Kubo node (KUBO_BIN names its program)', { timeout: 180_000 }, () => {
  const calls: PaidCall[] = [];

  beforeAll(async () => {
    kubo = await createKubo(bin ?? '');
    await kubo.start();
    stack = await startTestStack({
      relayEnv: { IPFS_API_URL: kubo.apiUrl },
      config: { audit: { intervalSeconds: 600, ipfs: { intervalSeconds: 1, recheckSeconds: 2 } } },
    });
    channelId = await stack.payer.openChannel({ deposit: 1_000_000n });
  });
  afterAll(async () => {
    await stack?.stop();
    await kubo?.remove();
  });

  it('is pinned there, under the CIDs that the relay gave its blocks', async () => {
    calls.push(await pay(), await pay());
    const first = await anchor();
    calls.push(await pay());
    const second = await anchor();
    await untilPinned(3);
    const pins = (await kubo.run('pin', 'ls', '--type=direct', '--quiet')).toString().trim().split('\n');
    expect(new Set(pins)).toEqual(new Set([first.cid, second.cid]));
    const block = JSON.parse((await kubo.run('dag', 'get', second.cid)).toString()) as Record<string, unknown>;
    expect(block).toMatchObject({ version: 1, start: 2, previous: { '/': first.cid }, entries: [expect.anything()] });
    expect((await kubo.run('dag', 'get', `${second.cid}/previous/start`)).toString().trim()).toBe('0');
  });

  it('comes from its gateway as from the relay’s', async () => {
    const { cid } = await anchor();
    const ask = async (gateway: string, query: string) => {
      const response = await fetch(`${gateway}/ipfs/${cid}?${query}`);
      expect(response.status).toBe(200);
      return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) };
    };
    for (const query of ['format=raw', 'format=car&dag-scope=block', 'format=car']) {
      const [theirs, ours] = [await ask(kubo.gatewayUrl, query), await ask(stack.stack.relayUrl, query)];
      expect(ours.bytes.equals(theirs.bytes), query).toBe(true);
      expect(ours.type).toBe(theirs.type);
    }
  });

  it('proves a call while the relay is off, by its gateway alone', async () => {
    await stack.stopRelay();
    const source = createGatewaySource(kubo.gatewayUrl);
    for (const call of calls) {
      const { ok, claims } = await verify(call, source);
      expect(claims.filter((claim) => claim.ok === false)).toEqual([]);
      expect(ok).toBe(true);
    }
    await stack.startRelay({ IPFS_API_URL: kubo.apiUrl });
  });

  it('goes on without the node: calls and anchors do, and the backlog is drained when it is back', async () => {
    await kubo.kill();
    for (let round = 0; round < 3; round += 1) {
      calls.push(await pay());
      expect((await anchor()).transactionHash).not.toBeNull();
    }
    await eventually(async () => {
      expect(await readHealth()).toMatchObject({ waiting: 3, pinnedSize: 3, failure: expect.any(String) });
    });
    // What waits outlives the relay.
    await stack.killRelay();
    await stack.startRelay({ IPFS_API_URL: kubo.apiUrl });
    calls.push(await pay());
    const newest = await anchor();
    await eventually(async () => expect(await readHealth()).toMatchObject({ waiting: 4, pinnedSize: 3 }));
    await kubo.start();
    await untilPinned(newest.size);
    const { ok } = await verify(calls.at(-1) ?? (await pay()), createGatewaySource(kubo.gatewayUrl));
    expect(ok).toBe(true);
  });

  it('is pinned again where the node has lost it', async () => {
    const { cid, size } = await anchor();
    await kubo.run('pin', 'rm', '--recursive=false', cid);
    await kubo.run('block', 'rm', cid);
    await expect(kubo.run('block', 'stat', '--offline', cid)).rejects.toThrow();
    // The relay looks after it within two seconds, as the configuration says.
    await eventually(async () => {
      expect((await kubo.run('pin', 'ls', '--type=direct', '--quiet', cid)).toString().trim()).toBe(cid);
    });
    await untilPinned(size);
  });

  it('is one archive, which another node takes whole', async () => {
    const { cid, size } = await anchor();
    const response = await fetch(`${stack.stack.relayUrl}/ipfs/${cid}?format=car`);
    const file = join(stack.stack.dataDir, 'log.car');
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
    const other = await createKubo(bin ?? '');
    try {
      await other.run('dag', 'import', '--pin-roots=true', file);
      // It would fail at the first block that is missing.
      const refs = (await other.run('refs', '--recursive', '--offline', cid)).toString().trim().split('\n');
      expect(refs).toHaveLength(5);
      expect(JSON.parse((await other.run('dag', 'get', `${cid}/start`)).toString())).toBeLessThan(size);
    } finally {
      await other.remove();
    }
    const archive = await openCarSource(file);
    for (const call of calls) expect((await verify(call, archive)).ok).toBe(true);
    await archive.close();
  });
});
