import express, { type ErrorRequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBooks } from '../../../fsck/open-books.ts';
import { fromHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { consistencyProof, verifyConsistency } from '../../../protocol/merkle/consistency.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot, rootOfPath } from '../../../protocol/merkle/inclusion.ts';
import { decodeReceipt } from '../../../protocol/receipt/decode-receipt.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import { decodeSignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import { serveHttp, type ServedHttp } from '../../../test/support/serve-http.ts';
import { createApiKey, hashApiKey } from '../../keys/api-key.ts';
import { someKey } from '../../keys/key-fixtures.ts';
import { createLoginSecrets } from '../../keys/login-secrets.ts';
import type { StoredKey } from '../../ledger/key-ledger.ts';
import { openAuditQueries, type OpenAuditQueries } from '../../ledger/queries/open-audit-queries.ts';
import { chainIds, makeCharge, openChannel, type KnownCharge } from '../../ledger/queries/query-fixtures.ts';
import { openTestBooks, type TestBooks } from '../../ledger/test-books.ts';
import { createLog } from '../../log.ts';
import { sendError } from '../send-error.ts';
import { createAuditRouter } from './create-audit-router.ts';
import type { ProofLog } from './log-routes.ts';

const [ann, bob]: [Hex, Hex] = [`0x${'a1'.repeat(20)}`, `0x${'b2'.repeat(20)}`];
const [home, other] = chainIds;
const operatorToken = 'the-operator';
const nowMs = () => Date.now();
const secrets = createLoginSecrets({ secret: Buffer.alloc(32, 3), chainId: home, nowMs });
const hostile = `=HYPERLINK("http://evil.example"),"a\r\nb"`;

/** Keys of Ann: of an app, one that manages, and one that has expired. */
const apiKeys = { app: createApiKey(), manager: createApiKey(), expired: createApiKey() };
const stored: StoredKey[] = [
  someKey({ keyId: 'key_app', payer: ann, secretHash: hashApiKey(apiKeys.app) }),
  someKey({ keyId: 'key_manager', payer: ann, secretHash: hashApiKey(apiKeys.manager), manages: true }),
  someKey({ keyId: 'key_expired', payer: ann, secretHash: hashApiKey(apiKeys.expired), expiresAtMs: 1 }),
];

let books: TestBooks;
let queries: OpenAuditQueries;
let served: ServedHttp;
let url = '';
const known: KnownCharge[] = [];
const leaves: Uint8Array[] = [];
let charge: (payer: Hex | null, changes?: { chainId?: number; keyId?: string; model?: string }) => KnownCharge;

/** The log in memory: the relay's own is in tiles, and is met in the end-to-end tests. */
const log: ProofLog = {
  newestCheckpoint: () => ({ origin: 'o', size: leaves.length, root: merkleRoot(leaves), signedAtMs: 1, note: '' }),
  root: async (size) => merkleRoot(leaves.slice(0, size)),
  inclusionProof: async (index, size) => inclusionProofOf(leaves.slice(0, size), index),
  consistencyProof: async (olderSize, newerSize) =>
    consistencyProof({ olderSize, newerSize, subtreeRoot: (from, to) => merkleRoot(leaves.slice(from, to)) }),
};

beforeAll(async () => {
  books = openTestBooks();
  queries = openAuditQueries({ file: books.db.location() ?? '' });
  const channels = new Map<string, Hex>();
  charge = (payer, { chainId = home, keyId, model = 'sim-small' } = {}) => {
    const place = `${chainId}/${payer}`;
    if (payer !== null && !channels.has(place)) channels.set(place, openChannel(books, { chainId, payer }));
    const channelId = channels.get(place) ?? null;
    const made = makeCharge(books, { chainId, payer, channelId, keyId: keyId ?? null, model, provider: 'simulated' });
    known.push(made);
    return made;
  };
  for (let n = 0; n < 4; n += 1) charge(ann);
  charge(bob, { model: hostile });
  charge(ann, { keyId: 'key_app' });
  charge(null, { model: 'free' });
  charge(ann, { chainId: other });
  leaves.push(...known.map(({ receipt }) => hashLeaf(encodeReceipt(receipt))));

  const find = async (hash: Hex) => {
    const key = stored.find(({ secretHash }) => secretHash === hash);
    return key && { key, project: null, channelId: null };
  };
  const principals = { secrets, cache: { find }, nowMs };
  const ledger = { findEvidence: () => Promise.resolve(undefined) };
  const shared = { operatorToken, principals, queries, log, ledger, chainId: home };
  const app = express().disable('etag').set('query parser', false);
  const answerError: ErrorRequestHandler = (error: unknown, request, response, _next) =>
    sendError({ request, response, error, payments: [], log: createLog('silent') });
  app.use('/one', createAuditRouter({ ...shared, showsAllChains: false }));
  app.use('/bare', createAuditRouter({ ...shared, principals: undefined, showsAllChains: true }));
  app.use(createAuditRouter({ ...shared, showsAllChains: true }));
  app.use(answerError);
  served = await serveHttp(app);
  ({ url } = served);
});
afterAll(async () => {
  await served.stop();
  await queries.close();
  books.close();
});

const tokenOf = (payer: Hex) => secrets.issueToken(payer, Date.now() + 60_000);
interface CallRow {
  callId: string;
  index: number;
  chainId: number;
  payer: string | null;
  amount: string;
  model: string;
  leafHash: Hex;
  receipt: { callId: string; chargedAtMs: number };
}
interface Answer {
  data: CallRow[];
  hasMore: boolean;
  nextCursor: string | null;
  logSize: number;
  error?: { code: string; param: string | null; message: string };
}

async function get(path: string, bearer?: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${path}`, { headers: { ...(bearer && { authorization: `Bearer ${bearer}` }), ...headers } });
}
async function ask(path: string, bearer?: string): Promise<Answer> {
  return (await get(path, bearer)).json() as Promise<Answer>;
}
async function refusal(path: string, bearer?: string) {
  const response = await get(path, bearer);
  const { error } = (await response.json()) as Answer;
  return { status: response.status, code: error?.code, param: error?.param };
}
const indexesOf = (charges: readonly { index: number }[]) => charges.map(({ index }) => index);
const ownOf = (payer: Hex, chainId: number = home) =>
  known.filter((one) => one.payer === payer && one.chainId === chainId);

describe('who sees which calls', () => {
  it('a payer its own, on the chain of its login', async () => {
    for (const [payer, own] of [
      [ann, ownOf(ann)],
      [bob, ownOf(bob)],
    ] as const) {
      const { data } = await ask('/v1/audit/calls', tokenOf(payer));
      expect(indexesOf(data)).toEqual(indexesOf(own).toReversed());
      expect(data.every((row) => row.payer === payer && row.chainId === home)).toBe(true);
    }
    const own = await ask(`/v1/audit/calls?payer=${ann.toUpperCase().replace('X', 'x')}`, tokenOf(ann));
    expect(own.data).toHaveLength(ownOf(ann).length);
  });

  it('an API key what it spent itself; one that manages, its payer’s', async () => {
    const app = await ask('/v1/audit/calls', apiKeys.app);
    expect(indexesOf(app.data)).toEqual(indexesOf(known.filter(({ keyId }) => keyId === 'key_app')));
    expect((await ask('/v1/audit/calls', apiKeys.manager)).data).toHaveLength(ownOf(ann).length);
    const refused = { status: 403, code: 'forbidden', param: 'key_id' };
    expect(await refusal('/v1/audit/calls?key_id=key_manager', apiKeys.app)).toEqual(refused);
    expect(await refusal('/v1/audit/bookings', apiKeys.app)).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('the operator all; under the path of one chain, what is of that', async () => {
    const all = await ask('/v1/audit/calls', operatorToken);
    expect(indexesOf(all.data)).toEqual(indexesOf(known).toReversed());
    const bobs = await ask(`/v1/audit/calls?payer=${bob}`, operatorToken);
    expect(indexesOf(bobs.data)).toEqual(indexesOf(ownOf(bob)));
    const elsewhere = await ask(`/v1/audit/calls?chain_id=${other}`, operatorToken);
    expect(indexesOf(elsewhere.data)).toEqual(indexesOf(ownOf(ann, other)));
    const one = await ask('/one/v1/audit/calls', operatorToken);
    expect(indexesOf(one.data)).toEqual(indexesOf(known.filter(({ chainId }) => chainId === home)).toReversed());
    expect(await refusal(`/one/v1/audit/calls?chain_id=${other}`, operatorToken)).toMatchObject({ status: 403 });
  });

  it('nobody else anything', async () => {
    const lapsed = secrets.issueToken(ann, Date.now() - 1);
    const elsewhere = createLoginSecrets({ secret: Buffer.alloc(32, 3), chainId: other, nowMs });
    const callId = known[0]?.receipt.callId ?? '';
    for (const path of [
      '/v1/audit/calls',
      '/v1/audit/calls?format=csv',
      '/v1/audit/bookings',
      `/v1/audit/receipts/${callId}`,
    ]) {
      for (const bearer of [undefined, 'x', lapsed, elsewhere.issueToken(ann, Date.now() + 60_000)]) {
        expect(await refusal(path, bearer), path).toMatchObject({ status: 401, code: 'login_required' });
      }
      expect(await refusal(path, createApiKey())).toMatchObject({ status: 401, code: 'invalid_api_key' });
      expect(await refusal(path, apiKeys.expired)).toMatchObject({ status: 403, code: 'api_key_expired' });
      expect(await refusal(`/bare${path}`, tokenOf(ann))).toMatchObject({ status: 403, code: 'forbidden' });
    }
    expect(await refusal(`/v1/audit/calls?payer=${ann}`, tokenOf(bob))).toEqual({
      ...{ status: 403, code: 'forbidden', param: 'payer' },
    });
    expect(await refusal(`/v1/audit/calls?chain_id=${other}`, tokenOf(ann))).toMatchObject({ param: 'chain_id' });
  });

  it('a receipt is for its payer, its key and the operator, with the salts', async () => {
    const [first] = ownOf(ann);
    const byKey = known.find(({ keyId }) => keyId === 'key_app');
    const path = `/v1/audit/receipts/${first?.receipt.callId}`;
    for (const bearer of [tokenOf(ann), operatorToken, apiKeys.manager]) {
      const response = await get(path, bearer);
      expect(response.headers.get('cache-control')).toBe('no-store');
      const body = (await response.json()) as { signedReceipt: string; receipt: { callId: string } };
      const signed = decodeSignedReceipt(body.signedReceipt);
      expect(decodeReceipt(signed.entry).callId).toBe(first?.receipt.callId);
      expect(signed.requestSalt.some((byte) => byte !== 0)).toBe(true);
    }
    expect((await get(`/v1/audit/receipts/${byKey?.receipt.callId}`, apiKeys.app)).status).toBe(200);
    for (const bearer of [tokenOf(bob), apiKeys.app]) {
      expect(await refusal(path, bearer)).toEqual({ status: 404, code: 'not_found', param: 'callId' });
    }
    expect(await refusal('/v1/audit/receipts/x', operatorToken)).toMatchObject({ status: 404, code: 'not_found' });
    const elsewhere = `/v1/audit/receipts/${ownOf(ann, other)[0]?.receipt.callId}`;
    expect(await refusal(elsewhere, tokenOf(ann))).toMatchObject({ status: 404 });
    expect(await refusal(`/one${elsewhere}`, operatorToken)).toMatchObject({ status: 404 });
    expect((await get(elsewhere, operatorToken)).status).toBe(200);
  });
});

describe('a list of calls', () => {
  it('goes on by its cursor, forwards and backwards, while calls are charged', async () => {
    for (const order of ['asc', 'desc']) {
      const before = ownOf(ann);
      const found: number[] = [];
      let path = `/v1/audit/calls?order=${order}&limit=2`;
      for (let page: Answer | undefined; !page || page.hasMore;) {
        page = await ask(path, tokenOf(ann));
        expect(page.data.length).toBeLessThanOrEqual(2);
        found.push(...indexesOf(page.data));
        if (found.length === 2) charge(ann);
        path = `/v1/audit/calls?order=${order}&limit=2&cursor=${page.nextCursor}`;
        if (!page.hasMore && order === 'desc') expect(page.nextCursor).toBeNull();
      }
      expect(found).toEqual(order === 'asc' ? indexesOf(ownOf(ann)) : indexesOf(before).toReversed());
    }
  });

  it('upwards has a cursor at its end too: what is charged later is found from there, once', async () => {
    const end = await ask(`/v1/audit/calls?order=asc&from=${known.length}`, tokenOf(ann));
    expect(end).toMatchObject({ data: [], hasMore: false, logSize: known.length });
    charge(bob);
    const later = charge(ann);
    const next = await ask(`/v1/audit/calls?order=asc&cursor=${end.nextCursor}`, tokenOf(ann));
    expect(indexesOf(next.data)).toEqual([later.index]);
    expect((await ask(`/v1/audit/calls?order=asc&cursor=${next.nextCursor}`, tokenOf(ann))).data).toEqual([]);
  });

  it('filters by model, provider, key and time, half-open, in both ways to write it', async () => {
    const count = async (query: string) => (await ask(`/v1/audit/calls?${query}`, operatorToken)).data.length;
    expect(await count('model=free')).toBe(1);
    expect(await count(`model=${encodeURIComponent(hostile)}`)).toBe(1);
    expect(await count('model=fre')).toBe(0);
    expect(await count('provider=simulated')).toBe(known.length);
    expect(await count('provider=openai')).toBe(0);
    expect(await count('key_id=key_app')).toBe(1);
    const times = known.map(({ receipt }) => receipt.chargedAtMs);
    const at = times.at(-1) ?? 0;
    const since = times.filter((time) => time >= at).length;
    expect(await count(`since=${at}`)).toBe(since);
    expect(await count(`until=${at}`)).toBe(known.length - since);
    expect(await count(`since=${new Date(at).toISOString()}`)).toBe(since);
    const inDelhi = new Date(at + 19_800_000).toISOString().replace('Z', '+05:30');
    expect(await count(`since=${encodeURIComponent(inDelhi)}`)).toBe(since);
    expect(await count(`since=${at + 1}`)).toBe(0);
  });

  it('says what it does not understand, by name', async () => {
    const cursor = (await ask('/v1/audit/calls?limit=1', tokenOf(ann))).nextCursor ?? '';
    const cases: [string, string, string][] = [
      ['modell=x', 'unsupported_parameter', 'modell'],
      ['model=a&model=b', 'invalid_request', 'model'],
      ['payer=0x12', 'invalid_request', 'payer'],
      ['since=yesterday', 'invalid_request', 'since'],
      ['since=2026-11-21', 'invalid_request', 'since'],
      ['since=2026-11-21T00:00:00', 'invalid_request', 'since'],
      ['since=2&until=2', 'invalid_request', 'until'],
      ['limit=0', 'invalid_request', 'limit'],
      ['limit=1001', 'invalid_request', 'limit'],
      ['limit=-1', 'invalid_request', 'limit'],
      ['format=csv&limit=0', 'invalid_request', 'limit'],
      ['order=asc&from=999999999999999', 'invalid_request', 'from'],
      ['order=up', 'invalid_request', 'order'],
      ['format=xml', 'invalid_request', 'format'],
      ['cursor=x', 'invalid_request', 'cursor'],
      [`cursor=${cursor}&from=1`, 'invalid_request', 'from'],
      [`cursor=${cursor}&model=free`, 'invalid_request', 'cursor'],
      [`cursor=${cursor}&order=asc`, 'invalid_request', 'cursor'],
      [`cursor=${cursor.slice(0, -2)}${cursor.endsWith('AA') ? 'BB' : 'AA'}`, 'invalid_request', 'cursor'],
    ];
    for (const [query, code, param] of cases) {
      expect(await refusal(`/v1/audit/calls?${query}`, tokenOf(ann)), query).toEqual({ status: 400, code, param });
    }
    // A cursor of another payer's list leads nowhere.
    expect(await refusal(`/v1/audit/calls?cursor=${cursor}`, tokenOf(bob))).toMatchObject({ param: 'cursor' });
  });
});

describe('an export', () => {
  /** What fsck reads, with code of its own. */
  function scan(): { index: number; leafHash: string; entry: Uint8Array }[] {
    const file = openBooks(books.db.location() ?? '');
    const rows = [...file.rows('SELECT log_index, entry FROM charges ORDER BY log_index')];
    file.close();
    return rows.map((row) => {
      const entry = row.bytes('entry');
      const leafHash = `0x${Buffer.from(hashLeaf(entry)).toString('hex')}`;
      return { index: row.number('log_index'), leafHash, entry };
    });
  }

  it('as NDJSON is what a scan of the ledger finds', async () => {
    const response = await get('/v1/audit/calls?format=ndjson&order=asc', operatorToken);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('x-autopay-log-size')).toBe(String(known.length));
    const lines = (await response.text()).trimEnd().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as CallRow);
    const expected = scan().map(({ index, leafHash, entry }) => ({ index, leafHash, receipt: decodeReceipt(entry) }));
    expect(rows.map(({ index, leafHash, receipt }) => ({ index, leafHash, receipt }))).toEqual(
      expected.map(
        (row) => JSON.parse(JSON.stringify(row, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))) as object,
      ),
    );
  });

  it('as CSV says the same, and no cell of it is a formula', async () => {
    const text = await (await get('/v1/audit/calls?order=asc', operatorToken, { accept: 'text/csv' })).text();
    const [header = [], ...records] = parseCsv(text);
    expect(records).toHaveLength(known.length);
    const column = (name: string) => records.map((record) => record[header.indexOf(name)]);
    expect(column('leaf_hash')).toEqual(scan().map(({ leafHash }) => leafHash));
    expect(column('amount')).toEqual(known.map(({ receipt }) => String(receipt.amount)));
    expect(column('running_total')).toEqual(known.map(({ receipt }) => String(receipt.runningTotal)));
    expect(column('call_id')).toEqual(known.map(({ receipt }) => receipt.callId));
    expect(column('model')[4]).toBe(`'${hostile}`);
    for (const cell of records.flat()) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
  });

  it('can be limited, go on by a cursor, and be asked for by HEAD', async () => {
    const first = await ask('/v1/audit/calls?order=asc&limit=2', tokenOf(ann));
    const query = `order=asc&format=ndjson&limit=2&cursor=${first.nextCursor}`;
    const lines = (await (await get(`/v1/audit/calls?${query}`, tokenOf(ann))).text()).trimEnd().split('\n');
    const own = indexesOf(ownOf(ann)).slice(2, 4);
    expect(lines.map((line) => (JSON.parse(line) as CallRow).index)).toEqual(own);
    const authorization = `Bearer ${tokenOf(ann)}`;
    const head = await fetch(`${url}/v1/audit/calls?format=csv`, { method: 'HEAD', headers: { authorization } });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      ...[200, 'text/csv; charset=utf-8; header=present', ''],
    ]);
  });
});

/** RFC 4180, by its grammar. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [[]];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    if (end === '' && quoted === undefined && plain === '') break;
    records.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === '\r\n') records.push([]);
  }
  return records.filter((record) => record.length > 0);
}

describe('the log for everybody', () => {
  it('lists entries that hash to their leaves', async () => {
    const response = await get('/v1/audit/entries?from=2&limit=3');
    expect(response.headers.get('cache-control')).toContain('immutable');
    const { data, next } = (await response.json()) as {
      data: { index: number; entry: Hex; leafHash: Hex }[];
      next: number;
    };
    expect([indexesOf(data), next]).toEqual([[2, 3, 4], 5]);
    for (const { entry, leafHash } of data) expect(hashLeaf(fromHex(entry))).toEqual(fromHex(leafHash));
    const end = await get(`/v1/audit/entries?from=${known.length}`);
    expect(end.headers.get('cache-control')).toBe('no-cache');
    expect(await end.json()).toEqual({ object: 'list', data: [], next: known.length });
    expect(await refusal('/v1/audit/entries?limit=1001')).toMatchObject({ status: 400, param: 'limit' });
    expect(await refusal('/v1/audit/entries?cursor=1')).toMatchObject({ code: 'unsupported_parameter' });
  });

  it('proves inclusion, by index or call, at any size that was signed', async () => {
    interface Proof {
      size: number;
      root: Hex;
      index: number;
      leafHash: Hex;
      path: Hex[];
    }
    const check = ({ root, index, size, leafHash, path }: Proof) =>
      Buffer.from(
        rootOfPath({ leafHash: fromHex(leafHash), index, size, path: path.map((node) => fromHex(node)) }) ?? [],
      ).equals(fromHex(root));
    for (let size = 1; size <= leaves.length; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = (await (await get(`/v1/audit/proof/inclusion?index=${index}&size=${size}`)).json()) as Proof;
        expect(proof).toMatchObject({ object: 'inclusion_proof', index, size });
        expect(check(proof)).toBe(true);
      }
    }
    const byCall = (await ask(`/v1/audit/proof/inclusion?callId=${known[3]?.receipt.callId}`)) as unknown as Proof;
    expect(byCall).toMatchObject({ index: 3, size: leaves.length });
    expect(check(byCall)).toBe(true);
    for (const [query, status] of [
      ['', 400],
      [`index=1&callId=${known[1]?.receipt.callId}`, 400],
      ['callId=x', 404],
      [`index=${leaves.length}`, 404],
      [`index=0&size=${leaves.length + 1}`, 404],
      ['index=0&size=0', 404],
      ['index=3&size=3', 404],
    ] as const) {
      expect((await refusal(`/v1/audit/proof/inclusion?${query}`)).status, query).toBe(status);
    }
  });

  it('proves that it only grew', async () => {
    interface Proof {
      from: { size: number; root: Hex };
      to: { size: number; root: Hex };
      path: Hex[];
    }
    for (let from = 1; from <= leaves.length; from += 1) {
      const { path, ...proof } = (await ask(`/v1/audit/proof/consistency?from=${from}`)) as unknown as Proof;
      expect(proof).toMatchObject({ from: { size: from }, to: { size: leaves.length } });
      const claim = {
        ...{ olderSize: from, olderRoot: fromHex(proof.from.root) },
        ...{ newerSize: leaves.length, newerRoot: fromHex(proof.to.root) },
        proof: path.map((node) => fromHex(node)),
      };
      expect(verifyConsistency(claim)).toBe(true);
    }
    expect(await refusal('/v1/audit/proof/consistency')).toMatchObject({ status: 400, param: 'from' });
    expect(await refusal('/v1/audit/proof/consistency?from=0')).toMatchObject({ status: 400, param: 'from' });
    expect(await refusal('/v1/audit/proof/consistency?from=3&to=2')).toMatchObject({ status: 400, param: 'from' });
    expect(await refusal('/v1/audit/proof/consistency?from=1&to=999')).toMatchObject({ status: 404, param: 'to' });
  });

  it('has no other methods', async () => {
    for (const path of ['calls', 'entries', 'bookings', 'receipts/x', 'proof/inclusion', 'proof/consistency']) {
      const response = await fetch(`${url}/v1/audit/${path}`, { method: 'POST' });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });
});
