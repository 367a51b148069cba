import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { privateKeyToAddress, generatePrivateKey } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAutopay } from '../../cli/testing/start-cli-stack.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { openBooks } from '../../fsck/open-books.ts';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { parseCheckpoint } from '../../protocol/log/checkpoint.ts';
import { verifyConsistency } from '../../protocol/merkle/consistency.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { rootOfPath } from '../../protocol/merkle/inclusion.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// Two wallets on one relay: each asks for its own calls, the operator for all, and everybody for the log and its proofs.
const keys = { ann: generatePrivateKey(), bob: generatePrivateKey() };
const addresses = { ann: privateKeyToAddress(keys.ann), bob: privateKeyToAddress(keys.bob) };
type Who = keyof typeof keys | 'operator';
let stack: TestStack;
let operatorToken = '';

/** Runs the command line to its result. */
async function run(who: Who, ...args: string[]): Promise<Record<string, unknown>> {
  const env: Record<string, string> =
    who === 'operator' ? { AUTOPAY_OPERATOR_TOKEN: operatorToken } : { AUTOPAY_WALLET_KEY: keys[who] };
  // Each wallet has a state folder of its own only by its address; they share the stack's.
  const { code, stdout, stderr } = await runAutopay([...args, '--json', '--data-dir', stack.stack.dataDir], { env });
  expect({ args, code, stdout, stderr }).toEqual({ args, code: 0, stdout: expect.any(String), stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface CallRow {
  callId: string;
  index: number;
  payer: string | null;
  amount: string;
  leafHash: Hex;
}
const list = async (who: Who, ...args: string[]) => (await run(who, 'audit', 'list', ...args))['data'] as CallRow[];
const call = async (who: keyof typeof keys, model = 'sim-small') =>
  String((await run(who, 'call', 'Say hello.', '--model', model, '--max-tokens', '20'))['callId']);

async function get<T>(path: string, bearer?: string): Promise<T> {
  const response = await fetch(`${stack.stack.relayUrl}${path}`, {
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
  });
  expect([path, response.status]).toEqual([path, 200]);
  return (await response.json()) as T;
}

const calls: Record<keyof typeof keys, string[]> = { ann: [], bob: [] };

beforeAll(async () => {
  stack = await startTestStack();
  operatorToken = (await readFile(stack.stack.operatorTokenFile, 'utf8')).trim();
  for (const who of ['ann', 'bob'] as const) {
    await run(who, 'wallet', 'fund', '--amount', '1');
    await run(who, 'channel', 'open', '--deposit', '0.5');
  }
  for (const who of ['ann', 'bob', 'ann'] as const) calls[who].push(await call(who));
  await call('ann', 'sim-free');
}, 180_000);
afterAll(() => stack.stop());

describe('autopay audit', { timeout: 120_000 }, () => {
  it('lists to each wallet its own calls, and to the operator all', async () => {
    for (const who of ['ann', 'bob'] as const) {
      const rows = await list(who);
      expect(rows.map(({ callId }) => callId)).toEqual(calls[who].toReversed());
      expect(rows.every(({ payer }) => payer === addresses[who].toLowerCase())).toBe(true);
    }
    const all = await list('operator');
    expect(all).toHaveLength(4);
    const bobs = await list('operator', '--payer', addresses.bob);
    expect(bobs.map(({ callId }) => callId)).toEqual(calls.bob);
    expect(await list('ann', '--model', 'sim-free')).toEqual([]);
    expect(await list('ann', '--until', '2026-01-01')).toEqual([]);
    expect(await list('ann', '--since', '2026-01-01', '--limit', '1')).toHaveLength(1);
  });

  it('shows a call from its charge to its booking', async () => {
    const [callId = ''] = calls.ann;
    expect(await run('ann', 'audit', 'show', callId)).toMatchObject({ booking: { state: 'uncollected' } });
    await stack.runJob('collect');
    await stack.runJob('anchor');
    const shown = await run('ann', 'audit', 'show', callId);
    expect(shown).toMatchObject({
      log: {
        index: 0,
        checkpoint: { size: 4 },
        block: { start: 0 },
        anchors: [{ chainId: stack.stack.chainId, size: 4 }],
      },
      booking: { state: 'booked', transactionHash: expect.stringMatching(/^0x/), batchId: expect.any(String) },
    });
    const signed = decodeSignedReceipt(String(shown['signedReceipt']));
    expect(decodeReceipt(signed.entry).callId).toBe(callId);
    const others = await runAutopay(['audit', 'show', callId, '--json', '--data-dir', stack.stack.dataDir], {
      env: { AUTOPAY_WALLET_KEY: keys.bob },
    });
    expect([others.code, JSON.parse(others.stdout)]).toMatchObject([1, { error: { code: 'not_found' } }]);
  });

  it('tells each payer its part of a booking, and the operator the whole', async () => {
    interface Booking {
      amount: string;
      calls: number;
      batchId: string;
    }
    const { data: all } = await get<{ data: Booking[] }>('/v1/audit/bookings', operatorToken);
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ calls: 3, state: 'booked', refunds: [], chainId: stack.stack.chainId });
    // The session that the command line has just saved is the last wallet's.
    await run('ann', 'audit', 'list');
    const { token } = JSON.parse(await readFile(join(stack.stack.dataDir, 'client', 'session.json'), 'utf8')) as {
      token: string;
    };
    const { data: own } = await get<{ data: Booking[] }>('/v1/audit/bookings', token);
    const charged = (await list('ann')).reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    expect(own).toMatchObject([{ calls: 2, amount: String(charged), batchId: all[0]?.batchId }]);
  });

  it('exports what fsck scans, and fsck finds the books in order', async () => {
    const file = join(stack.stack.dataDir, 'calls.ndjson');
    const told = await run('operator', 'audit', 'export', '--format', 'ndjson', '--output', file);
    expect(told).toMatchObject({ file, logSize: 4 });
    const rows = (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as CallRow);
    const books = openBooks(join(stack.stack.dataDir, 'ledger.sqlite'));
    const entries = [...books.rows('SELECT entry FROM charges ORDER BY log_index')].map((row) => row.bytes('entry'));
    books.close();
    expect(rows.map(({ index, leafHash, callId, amount }) => ({ index, leafHash, callId, amount }))).toEqual(
      entries.map((entry, index) => {
        const { callId, amount } = decodeReceipt(entry);
        return { index, leafHash: toHex(hashLeaf(entry)), callId, amount: String(amount) };
      }),
    );
    const array = join(stack.stack.dataDir, 'calls.json');
    await run('ann', 'audit', 'export', '--format', 'json', '--output', array);
    const own = JSON.parse(await readFile(array, 'utf8')) as CallRow[];
    expect(own.map(({ callId }) => callId)).toEqual(calls.ann);
    expect((await checkBooks(stack.fsckOptions)).claims.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('watches what comes', async () => {
    const child: ChildProcess = spawn(
      process.execPath,
      [
        join(import.meta.dirname, '../../cli/main.ts'),
        'audit',
        'watch',
        '--interval',
        '1',
        '--json',
        '--data-dir',
        stack.stack.dataDir,
      ],
      { env: { ...process.env, AUTOPAY_OPERATOR_TOKEN: operatorToken }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    if (!child.stdout || !child.stderr) throw new Error('the process has no output');
    await once(child.stderr, 'data');
    const callId = await call('bob');
    calls.bob.push(callId);
    for await (const line of createInterface({ input: child.stdout })) {
      expect(JSON.parse(line)).toMatchObject({ callId, payer: addresses.bob.toLowerCase() });
      child.kill('SIGINT');
    }
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
  });
});

it('proofs over the signed log hold for everybody', async () => {
  const [callId = ''] = calls.bob;
  interface Inclusion {
    size: number;
    root: Hex;
    index: number;
    leafHash: Hex;
    path: Hex[];
  }
  const proof = await get<Inclusion>(`/v1/audit/proof/inclusion?callId=${callId}`);
  const { data } = await get<{ data: { entry: Hex; callId: string }[] }>(
    `/v1/audit/entries?from=${proof.index}&limit=1`,
  );
  expect(data[0]?.callId).toBe(callId);
  const leafHash = hashLeaf(fromHex(data[0]?.entry ?? '0x'));
  expect(toHex(leafHash)).toBe(proof.leafHash);
  const { index, size, path } = proof;
  const root = rootOfPath({ leafHash, index, size, path: path.map((node) => fromHex(node)) });
  expect(root && toHex(root)).toBe(proof.root);
  const note = await (await fetch(`${stack.stack.relayUrl}/log/checkpoint`)).text();
  const signed = parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1));
  expect(signed.size).toBeGreaterThanOrEqual(size);

  interface Consistency {
    from: { root: Hex };
    to: { root: Hex };
    path: Hex[];
  }
  const grown = await get<Consistency>(`/v1/audit/proof/consistency?from=1&to=${signed.size}`);
  expect(grown.to.root).toBe(toHex(signed.root));
  const claim = {
    ...{ olderSize: 1, olderRoot: fromHex(grown.from.root), newerSize: signed.size, newerRoot: signed.root },
    proof: grown.path.map((node) => fromHex(node)),
  };
  expect(verifyConsistency(claim)).toBe(true);
});
