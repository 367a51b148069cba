import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAutopay, type CliResult } from '../../cli/testing/start-cli-stack.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import type { CheckedClaim } from '../../fsck/verification.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/** Each command is a process of its own, and some tests run six of them. */
const timeout = 180_000;

let stack: TestStack;
let dataDir: string;
/** Where a sceptic keeps what it got: no stack, no relay. */
let outside: string;
let stored: StoredReceipt[];
const secret = 'Is the merger on? Answer by yes or no.';
const question = (more: object) =>
  JSON.stringify({ model: 'sim-small', messages: [{ role: 'user', content: secret }], max_tokens: 12, ...more });
/** The exact bytes of the stream before its receipt. */
let streamed: string;

beforeAll(async () => {
  stack = await startTestStack();
  ({ dataDir } = stack.stack);
  outside = await mkdtemp(join(tmpdir(), 'autopay-outside-'));
  const stateDir = join(dataDir, 'client');
  const { contracts } = stack.stack;
  const pay = createPayFetch({ ...stack.payFetchOptions, contracts, stateDir, keepBodies: {} });
  const call = async (more: object) => {
    const url = `${stack.stack.relayUrl}/v1/chat/completions`;
    const response = await pay(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: question(more),
    });
    expect(response.status).toBe(200);
    return response.text();
  };
  await call({});
  await call({});
  await stack.runJob('collect');
  await stack.runJob('anchor');
  await call({ model: 'sim-free' });
  const stream = await call({ stream: true });
  streamed = stream.slice(0, stream.indexOf(': autopay-receipt'));
  await stack.runJob('anchor');
  stored = await openReceiptStore(stateDir).list();
  expect(stored).toHaveLength(4);
}, 240_000);
afterAll(async () => {
  await stack?.stop();
  await rm(outside, { recursive: true, force: true });
});

const callIdAt = (index: number): string => stored[index]?.callId ?? '';
const here = (...args: string[]) => runAutopay([...args, '--data-dir', dataDir, '--json']);

interface Answer {
  ok: boolean;
  claims: CheckedClaim[];
  evidenceFile?: string;
}
const read = ({ stdout }: CliResult) => JSON.parse(stdout) as Answer & Record<string, unknown>;
const verdicts = (result: CliResult) => Object.fromEntries(read(result).claims.map(({ name, ok }) => [name, ok]));
const failing = (result: CliResult) =>
  read(result)
    .claims.filter(({ ok }) => ok === false)
    .map(({ name, detail }) => `${name}: ${detail}`);

const everythingHolds = {
  ...{ anchored: true, blocks_content_addressed: true, codec: true, included: true, included_by_contract: true },
  ...{ receipt_logged: true, relay_signed: true, sequence_gap_free: true, total_collected: true },
  ...{ prices_published: true, price: true, budget_kept: true },
};

/** The blocks of a log as a trustless gateway, which is nobody's relay. */
async function startGateway(folder: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const [, cid = ''] = /^\/ipfs\/([a-z0-9]+)\?format=raw$/.exec(request.url ?? '') ?? [];
    readFile(join(folder, cid)).then(
      (bytes) => response.writeHead(200, { 'content-type': 'application/vnd.ipld.raw' }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe('while the relay runs', { timeout }, () => {
  it('every claim of a call is checked, with what the relay signs of its log', async () => {
    const result = await here('audit', 'verify', callIdAt(1));
    expect(failing(result)).toEqual([]);
    expect(verdicts(result)).toEqual({
      ...everythingHolds,
      ...{ checkpoint_signed: true, checkpoint_agrees: true, booked: true },
      // Nothing was seen before.
      consistent: null,
    });
    expect([result.code, read(result).ok]).toEqual([0, true]);
    const again = await here('audit', 'verify', 'last');
    expect(verdicts(again)).toMatchObject({ ...everythingHolds, consistent: true, booked: null });
    expect((await stat(join(dataDir, 'client/seen-logs.json'))).mode & 0o777).toBe(0o600);
  });

  it('the whole history of the wallet is checked, with sums', async () => {
    const result = await here('audit', 'verify', '--all');
    expect(failing(result)).toEqual([]);
    expect(result.code).toBe(0);
    expect(verdicts(result)).toMatchObject({
      ...{
        anchored: true,
        blocks_content_addressed: true,
        anchors_agree: true,
        consistent: true,
        codec: true,
        included: true,
      },
      ...{ receipt_logged: true, relay_signed: true, sequence_gap_free: true, total_collected: true },
      ...{ prices_published: true, price: true, budget_kept: true, checkpoint_agrees: true },
    });
    const total = stored.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    const { summary } = read(result) as unknown as { summary: Record<string, unknown> };
    expect(summary).toMatchObject({
      ...{ size: 4, entryCount: 4, elsewhereCount: 0, withheld: [] },
      channels: [{ entries: 3, first: 1, last: 3, total: String(total), missing: [] }],
      tokens: expect.arrayContaining([expect.objectContaining({ entries: 3, amount: String(total) })]),
    });
    const { stdout } = await runAutopay(['audit', 'verify', '--all', '--data-dir', dataDir]);
    expect(stdout).toContain('stand in the anchored log');
    expect(stdout).toMatch(/^charged +.* USDC in 3 call\(s\)$/m);
  });

  it('a CAR file of the newest block is the whole log; one that is cut off, or changed, shows', async () => {
    const { call } = read(await here('audit', 'verify', 'last')) as unknown as { call: { cid: string } };
    const archive = await fetch(`${stack.stack.relayUrl}/ipfs/${call.cid}?format=car`);
    const bytes = Buffer.from(await archive.arrayBuffer());
    const verifyCar = async (content: Uint8Array) => {
      await writeFile(join(outside, 'log.car'), content);
      return here('audit', 'verify', '--all', '--car', join(outside, 'log.car'));
    };
    const whole = await verifyCar(bytes);
    expect([whole.code, failing(whole), read(whole)['summary']]).toMatchObject([0, [], { size: 4, blockCount: 2 }]);
    const changed = Buffer.from(bytes);
    changed[bytes.length - 40] = (bytes.at(-40) ?? 0) ^ 1;
    expect(failing(await verifyCar(changed))[0]).toMatch(/^blocks_content_addressed: The block has the CID/);
    const cutOff = await verifyCar(bytes.subarray(0, -10));
    expect([cutOff.code, cutOff.stdout]).toEqual([expect.any(Number), expect.stringContaining('not a whole one')]);
    expect(cutOff.code).not.toBe(0);
  });

  it('asks for a call, or all', async () => {
    for (const args of [[], ['last', '--all'], ['last', '--payer', `0x${'1'.repeat(40)}`]]) {
      const result = await here('audit', 'verify', ...args);
      expect([result.code, JSON.parse(result.stdout)]).toMatchObject([2, { error: { code: 'invalid_argument' } }]);
    }
    const other = await here('audit', 'verify', '--all', '--payer', `0x${'1'.repeat(40)}`);
    expect(read(other)).toMatchObject({ ok: true, summary: { entryCount: 0, channels: [] } });
  });
});

describe('what a receipt commits to', { timeout }, () => {
  const file = () => join(outside, 'request.json');
  const rpc = () => ['--rpc', stack.stack.rpcUrl, '--contracts', join(dataDir, 'stack.json')];
  /** A third party: no stack, no wallet. */
  const elsewhere = (...args: string[]) => runAutopay([...args, '--data-dir', join(outside, 'nothing'), '--json']);

  it('is kept as it went over the wire', async () => {
    const kept = join(dataDir, 'client/bodies');
    expect(await readFile(join(kept, `${callIdAt(1)}.request`), 'utf8')).toBe(question({}));
    expect(await readFile(join(kept, `${callIdAt(3)}.response`), 'utf8')).toBe(streamed);
    expect((await readdir(kept)).length).toBe(8);
  });

  it('is opened part by part, and checked by who has nothing but the file and the chain', async () => {
    const opened = await here('audit', 'open', callIdAt(1), '--request', '--output', file());
    expect([opened.code, opened.stderr]).toEqual([0, '']);
    const text = await readFile(file(), 'utf8');
    const { responseSalt, requestSalt } = decodeSignedReceipt(stored[1]?.receipt ?? '');
    expect(text).toContain(Buffer.from(requestSalt).toString('hex'));
    expect(text).not.toContain(Buffer.from(responseSalt).toString('hex'));
    const checked = await elsewhere('audit', 'check', file(), ...rpc());
    expect(verdicts(checked)).toEqual({ codec: true, opens_request: true, relay_signed: true });
    expect(read(checked)).toMatchObject({ ok: true, request: Buffer.from(question({})).toString('base64') });
    const logged = await elsewhere('audit', 'check', file(), ...rpc(), '--blocks', join(dataDir, 'blocks'));
    expect(verdicts(logged)).toMatchObject({ included: true, included_by_contract: true, receipt_logged: true });
    expect(logged.code).toBe(0);
    const bySigner = await elsewhere('audit', 'check', file(), '--signer', stack.relayAddress);
    expect(read(bySigner).ok).toBe(true);
    // Nobody says whose key it is.
    expect((await elsewhere('audit', 'check', file())).code).toBe(1);
  });

  it('is refused with one byte changed, and cannot be opened by other bytes', async () => {
    const disclosure = JSON.parse(await readFile(file(), 'utf8')) as { request: { bytes: string } };
    const bytes = Buffer.from(disclosure.request.bytes, 'base64');
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    const changed = join(outside, 'changed.json');
    await writeFile(
      changed,
      JSON.stringify({ ...disclosure, request: { ...disclosure.request, bytes: bytes.toString('base64') } }),
    );
    const result = await elsewhere('audit', 'check', changed, ...rpc());
    expect([result.code, failing(result)]).toEqual([1, [expect.stringContaining('opens_request: ')]]);
    await writeFile(join(outside, 'other'), 'something else');
    const refused = await here('audit', 'open', callIdAt(1), '--response-file', join(outside, 'other'));
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining('not the bytes of the response')]);
    await writeFile(join(outside, 'stream'), streamed);
    const byHand = await here('audit', 'open', callIdAt(3), '--response-file', join(outside, 'stream'));
    expect([byHand.code, JSON.parse(byHand.stdout)]).toMatchObject([0, { kind: 'autopay-disclosure', response: {} }]);
    const nothing = await here('audit', 'open', callIdAt(3));
    expect([nothing.code, nothing.stdout]).toEqual([2, expect.stringContaining('Say what to open')]);
  });
});

describe('with the relay switched off', { timeout }, () => {
  let blocks: string;
  let contracts: string;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  beforeAll(async () => {
    await stack.stopRelay();
    blocks = join(outside, 'blocks');
    contracts = join(outside, 'contracts.json');
    await cp(join(dataDir, 'blocks'), blocks, { recursive: true });
    const { chainId, deployedAtBlock, contracts: addresses, tokens } = stack.stack;
    await writeFile(contracts, JSON.stringify({ chainId, deployedAtBlock, contracts: addresses, tokens }));
    gateway = await startGateway(blocks);
  }, 60_000);
  afterAll(() => new Promise<void>((resolve) => void gateway.server.close(() => resolve())));

  /** A folder with the wallet's receipts and price tables, and nothing of the stack's. */
  async function takeWallet(name: string): Promise<string> {
    const folder = join(outside, name);
    await mkdir(join(folder, 'client'), { recursive: true });
    await cp(join(dataDir, 'client/receipts.jsonl'), join(folder, 'client/receipts.jsonl'));
    return folder;
  }
  const verifyIn = (folder: string, ...args: string[]) =>
    runAutopay([
      'audit',
      'verify',
      ...args,
      '--rpc',
      stack.stack.rpcUrl,
      '--contracts',
      contracts,
      '--data-dir',
      folder,
      '--json',
    ]);

  it('a call is verified from chain and IPFS alone, without a stack.json', async () => {
    const folder = await takeWallet('ipfs');
    const prices = ['--prices', join(dataDir, 'prices')];
    const result = await verifyIn(folder, callIdAt(1), '--ipfs', `http://127.0.0.1:1,${gateway.url}`, ...prices);
    expect(failing(result)).toEqual([]);
    expect(verdicts(result)).toEqual({ ...everythingHolds, checkpoint_signed: null, consistent: null, booked: true });
    expect(result.code).toBe(0);
    const all = await verifyIn(folder, '--all', '--ipfs', gateway.url, ...prices);
    expect(failing(all)).toEqual([]);
    expect(read(all)).toMatchObject({ ok: true, summary: { entryCount: 4 } });
    expect(verdicts(all)).toMatchObject({ consistent: true, price: true });
  });

  it('says what it could not check without the wallet, the prices, or a source of blocks', async () => {
    const result = await verifyIn(join(outside, 'stranger'), callIdAt(1), '--blocks', blocks);
    expect(verdicts(result)).toMatchObject({
      included: true,
      relay_signed: null,
      sequence_gap_free: null,
      price: null,
    });
    expect(result.code).toBe(0);
    const nowhere = await verifyIn(join(outside, 'stranger'), callIdAt(1));
    expect([nowhere.code, nowhere.stdout]).toEqual([2, expect.stringContaining('Say where the blocks of the log are')]);
    const empty = await verifyIn(join(outside, 'stranger'), callIdAt(1), '--blocks', outside);
    expect(verdicts(empty)).toMatchObject({ anchored: true, blocks_content_addressed: null });
    expect(empty.code).toBe(1);
  });

  it('tampered copies fail, and say what is wrong', async () => {
    const folder = await takeWallet('tampered');
    const bad = join(outside, 'bad-blocks');
    await cp(blocks, bad, { recursive: true });
    for (const name of (await readdir(bad)).filter((file) => file.startsWith('bafy'))) {
      const bytes = await readFile(join(bad, name));
      bytes[400] = (bytes[400] ?? 0) ^ 1;
      await writeFile(join(bad, name), bytes);
    }
    expect(failing(await verifyIn(folder, callIdAt(1), '--blocks', bad))).toEqual([
      expect.stringMatching(/^blocks_content_addressed: The block has the CID/),
    ]);
    // A good source behind a bad one is enough.
    expect(failing(await verifyIn(folder, callIdAt(1), '--blocks', bad, '--ipfs', gateway.url))).toEqual([]);

    const file = join(folder, 'client/receipts.jsonl');
    const [first = '', second = ''] = (await readFile(file, 'utf8')).trim().split('\n');
    const swapped = { ...(JSON.parse(second) as StoredReceipt), callId: callIdAt(0) };
    await writeFile(file, `${first}\n${JSON.stringify(swapped)}\n`);
    expect(failing(await verifyIn(folder, callIdAt(0), '--blocks', blocks)).join()).toContain('receipt_logged: ');
  });

  it('a log that is another than was seen before is a fork, with the evidence in a file; an endpoint may be behind', async () => {
    const folder = await takeWallet('forked');
    const memory = join(folder, 'client/seen-logs.json');
    expect((await verifyIn(folder, 'last', '--blocks', blocks)).code).toBe(0);
    const seen = await readFile(memory, 'utf8');
    const forked = seen.replace(/"root": "0x../, (root) => `${root.slice(0, -2)}${root.endsWith('00') ? '11' : '00'}`);
    await writeFile(memory, forked);
    const fork = await verifyIn(folder, 'last', '--blocks', blocks);
    expect([fork.code, failing(fork)]).toEqual([1, [expect.stringMatching(/^consistent: fork: /)]]);
    const evidence = JSON.parse(await readFile(read(fork).evidenceFile ?? '', 'utf8')) as Record<string, unknown>;
    expect(evidence).toMatchObject({ kind: 'log-fork', earlier: { size: 4 }, later: { size: 4 } });
    // What was seen stays what was seen.
    expect(await readFile(memory, 'utf8')).toBe(forked);
    await writeFile(memory, seen.replace(/"size": \d+/, '"size": 40'));
    const behind = await verifyIn(folder, '--all', '--blocks', blocks);
    expect(failing(behind)).toEqual([
      expect.stringMatching(/^consistent: the newest anchor that the endpoint shows is of 4 entries/),
    ]);
    expect(read(behind).evidenceFile).toBeUndefined();
  });
});
