import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { doubleTerms } from '../../client/testing/relay-double.ts';
import { walletAddress } from '../../client/testing/seed-wallet.ts';
import { startCliStack, type CliStack } from '../testing/start-cli-stack.ts';

/** A relay of which only the routes of the audit trail are asked; the real ones are met in server/http/audit and test/e2e. */
let books: Server;
let answer: (request: IncomingMessage, response: ServerResponse, url: URL) => void;
const asked: string[] = [];
let stack: CliStack;

const callId = '01a1ff6a-2857-7d87-a98f-91ceff8c2cc6';
const operator = { env: { AUTOPAY_OPERATOR_TOKEN: 'the-operator' } };

function callOf(index: number, changes: object = {}) {
  return {
    ...{ object: 'call', callId, index, chainId: doubleTerms.chainId, chargedAt: '2026-11-21T10:00:00.000Z' },
    ...{ payer: walletAddress, keyId: null, token: doubleTerms.token.address, amount: '20', model: 'paid' },
    ...{ provider: 'simulated', leafHash: `0x${'11'.repeat(32)}` },
    receipt: {
      ...{ usage: { prompt: 10, completion: 5 }, modelServed: 'paid-1', usageKind: 'exact' },
      evidenceTier: 'relay-signed',
    },
    ...changes,
  };
}

const sendJson = (response: ServerResponse, body: object) => void response.end(JSON.stringify(body));
const pageOf = (data: object[], rest: object = {}) => ({
  ...{ object: 'list', data, hasMore: false, nextCursor: null, logSize: 7 },
  ...rest,
});

beforeAll(async () => {
  stack = await startCliStack();
  books = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://relay');
    asked.push(`${url.pathname}?${url.searchParams.toString()} ${request.headers.authorization}`);
    answer(request, response, url);
  }).listen(0, '127.0.0.1');
  await once(books, 'listening');
  const relayUrl = `http://127.0.0.1:${(books.address() as AddressInfo).port}`;
  const file = join(stack.dataDir, 'stack.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace(stack.double.url, relayUrl));
  // A session of this wallet with this relay, so that the double needs no login.
  const login = {
    relayUrl,
    token: 't',
    payer: walletAddress,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  };
  await writeFile(join(stack.dataDir, 'client', 'session.json'), JSON.stringify(login));
});
beforeEach(() => void asked.splice(0));
afterAll(async () => {
  books.closeAllConnections();
  books.close();
  await stack.stop();
});

describe('autopay audit list', () => {
  it('asks as the wallet, page by page, and shows a table', async () => {
    answer = (_, response, url) =>
      sendJson(
        response,
        url.searchParams.has('cursor')
          ? pageOf([callOf(3), callOf(2, { payer: null, amount: '0', model: 'free' })])
          : pageOf([callOf(6)], { hasMore: true, nextCursor: 'c1' }),
      );
    const { code, stdout, stderr } = await stack.run(['audit', 'list', '--model', 'paid', '--since', '2026-11-01']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^index +charged +call +model +tokens +cost\n6 +2026-11-21T10:00:00\.000Z +01a1ff6a\S+ +paid +10 \+ 5 +0\.000020 USDC\n/,
    );
    expect(stdout).toMatch(/^2 .* free +10 \+ 5 +free$/m);
    const query = 'model=paid&since=2026-11-01T00%3A00%3A00Z&order=desc';
    expect(asked).toEqual([
      `/v1/audit/calls?${query}&limit=20 Bearer t`,
      `/v1/audit/calls?${query}&limit=19&cursor=c1 Bearer t`,
    ]);
  });

  it('asks as the operator where there is its token, and prints all that the relay said with --json', async () => {
    answer = (_, response) => sendJson(response, pageOf([callOf(6, { chainId: 1 })]));
    const given = ['audit', 'list', '--payer', walletAddress, '--limit', '1'];
    const { stdout } = await stack.run([...given, '--json'], operator);
    expect(JSON.parse(stdout)).toMatchObject({
      data: [{ index: 6, leafHash: `0x${'11'.repeat(32)}` }],
      hasMore: false,
    });
    expect(asked).toEqual([`/v1/audit/calls?payer=${walletAddress}&order=desc&limit=1 Bearer the-operator`]);
    expect((await stack.run(given, operator)).stdout).toContain('20 atomic units of 0x');
  });

  it('says that there are none, and passes refusals on', async () => {
    answer = (_, response) => sendJson(response, pageOf([]));
    expect((await stack.run(['audit', 'list'])).stdout).toBe('No calls.\n');
    answer = (_, response) => {
      response.writeHead(400);
      sendJson(response, { error: { code: 'invalid_request', message: 'since has to be a time.' } });
    };
    const { code, stderr } = await stack.run(['audit', 'list', '--since', 'x']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('since has to be a time.')]);
  });
});

describe('autopay audit show', () => {
  const shown = {
    ...callOf(6, { callId }),
    signedReceipt: 'AAAA',
    log: {
      checkpoint: { size: 7, signedAt: '2026-11-21T10:00:05.000Z' },
      block: { cid: 'bafyblock', start: 0, size: 7 },
      anchors: [{ chainId: 1, size: 7, transactionHash: `0x${'0a'.repeat(32)}` }],
    },
    booking: { state: 'booked', transactionHash: '0x01', batchId: '9', bookingTransactionHash: '0x02' },
  };

  it('shows the receipt, and how far it is', async () => {
    answer = (_, response) => sendJson(response, shown);
    const { code, stdout } = await stack.run(['audit', 'show', callId]);
    expect(code).toBe(0);
    for (const part of ['bafyblock', `7 entries, by 0x${'0a'.repeat(32)}`, 'batch 9, by 0x02', '0.000020 USDC']) {
      expect(stdout).toContain(part);
    }
    expect(JSON.parse((await stack.run(['audit', 'show', callId, '--json'])).stdout)).toMatchObject({
      signedReceipt: 'AAAA',
    });
    expect(asked.filter((line) => line.startsWith('/v1/audit'))).toEqual(
      Array.from({ length: 2 }, () => `/v1/audit/receipts/${callId}? Bearer t`),
    );
  });

  it('says of a young call what is still to come', async () => {
    const log = { checkpoint: null, block: null, anchors: [] };
    answer = (_, response) => sendJson(response, { ...shown, log, booking: null });
    const { stdout } = await stack.run(['audit', 'show', callId]);
    for (const part of ['not signed yet', 'not written yet', 'not anchored yet', 'nothing to take']) {
      expect(stdout).toContain(part);
    }
  });

  it('asks nothing for what is no call id', async () => {
    const { code, stderr } = await stack.run(['audit', 'show', 'x']);
    expect([code, stderr, asked]).toEqual([2, expect.stringContaining('UUIDv7'), []]);
  });
});

describe('autopay audit export', () => {
  const rows = [callOf(0, { model: 'ünïcödé' }), callOf(1), callOf(2)];
  const exportTo = (format: string, name: string) => {
    const file = join(stack.dataDir, name);
    const run = stack.run(['audit', 'export', '--format', format, '--output', file, '--until', '2026-11-22', '--json']);
    return { file, run };
  };
  /** In pieces that cut lines and characters. */
  const sendPieces = (response: ServerResponse, text: string) => {
    response.writeHead(200, { 'x-autopay-log-size': '3' });
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  };

  it.each(['ndjson', 'json'] as const)('writes %s that nobody else can read', async (format) => {
    answer = (_, response) => sendPieces(response, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { file, run } = exportTo(format, `calls.${format}`);
    const { stdout, code } = await run;
    const text = await readFile(file, 'utf8');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ file, format, bytes: Buffer.byteLength(text), logSize: 3 });
    const read =
      format === 'json'
        ? (JSON.parse(text) as object[])
        : text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as object);
    expect(read).toEqual(rows);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(asked).toEqual(['/v1/audit/calls?until=2026-11-22T00%3A00%3A00Z&order=asc&format=ndjson Bearer t']);
  });

  it('writes an empty array where there is nothing, and CSV as it comes', async () => {
    answer = (_, response) => sendPieces(response, '');
    const none = exportTo('json', 'none.json');
    await none.run;
    expect(JSON.parse(await readFile(none.file, 'utf8'))).toEqual([]);
    answer = (_, response) => sendPieces(response, 'index,call_id\r\n0,x\r\n');
    const csv = exportTo('csv', 'calls.csv');
    await csv.run;
    expect(await readFile(csv.file, 'utf8')).toBe('index,call_id\r\n0,x\r\n');
  });

  it('leaves the file as it was if the relay breaks off', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'x-autopay-log-size': '3' });
      response.write(`${JSON.stringify(rows[0])}\n`, () => response.destroy());
    };
    const file = join(stack.dataDir, 'kept.csv');
    await writeFile(file, 'before');
    const { code, stdout } = await exportTo('csv', 'kept.csv').run;
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'upstream_truncated' } }]);
    expect(await readFile(file, 'utf8')).toBe('before');
    expect((await readdir(stack.dataDir)).filter((name) => name.startsWith('kept'))).toEqual(['kept.csv']);
    expect((await stack.run(['audit', 'export', '--output', join(file, 'x')])).stderr).toContain('--output');
  });
});

describe('autopay audit watch', () => {
  it('shows what comes, goes on after an outage, and ends with Ctrl-C', async () => {
    let polls = 0;
    answer = (_, response, url) => {
      if (url.searchParams.get('order') === 'desc') return sendJson(response, pageOf([callOf(6)]));
      polls += 1;
      if (polls === 2) return void response.writeHead(503).end('{}');
      const [from, cursor] = [url.searchParams.get('from'), url.searchParams.get('cursor')];
      if (polls === 1) return sendJson(response, pageOf([callOf(Number(from))], { nextCursor: 'c8' }));
      sendJson(response, pageOf(cursor === 'c8' ? [callOf(8)] : [], { nextCursor: cursor === 'c8' ? 'c9' : cursor }));
    };
    const main = join(import.meta.dirname, '..', 'main.ts');
    const args = ['audit', 'watch', '--interval', '1', '--json', '--data-dir', stack.dataDir];
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...operator.env } });
    let warnings = '';
    child.stderr.on('data', (chunk: Buffer) => (warnings += chunk.toString()));
    const seen: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      seen.push((JSON.parse(line) as { index: number }).index);
      if (seen.length === 2) child.kill('SIGINT');
    }
    const [code] = (await once(child, 'close')) as [number | null];
    expect([code, seen]).toEqual([0, [7, 8]]);
    expect(warnings).toContain('Asking again.');
    expect(asked[1]).toBe('/v1/audit/calls?order=asc&limit=100&from=7 Bearer the-operator');
    expect(asked).toContain('/v1/audit/calls?order=asc&limit=100&cursor=c8 Bearer the-operator');
  });
});
