import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import type { StoredKey, StoredProject } from '../key-ledger.ts';
import { someChannel, someCharge, someReserve, testToken } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const payer: Hex = `0x${'ab'.repeat(20)}`;
const signature: Hex = `0x${'11'.repeat(65)}`;
const nowMs = 1_790_000_000_000;
const hashOf = (text: string): Hex => toHex(createHash('sha256').update(text).digest());

function someProject(overrides: Partial<StoredProject> = {}): StoredProject {
  return {
    ...{ projectId: 'prj_1', payer, token: testToken, name: 'Research', metadata: '{"team":"ü"}', models: null },
    ...{ budget: 2n ** 127n, budgetDuration: '1d', budgetFrom: 1_790_000_000, createdAtMs: nowMs, deletedAtMs: null },
    ...overrides,
  };
}

function someKey(overrides: Partial<StoredKey> = {}): StoredKey {
  const { budget: _budget, projectId: _projectId, ...shared } = someProject();
  return {
    ...shared,
    ...{
      keyId: 'key_1',
      secretHash: hashOf('one'),
      hint: 'ap_sk_…one',
      mode: 'channel',
      projectId: null,
      budget: null,
    },
    ...{ models: ['sim-small', 'gpt-4o'], expiresAtMs: nowMs + 1, rpmLimit: 60, tpmLimit: null, manages: false },
    ...{ createdBy: 'payer' },
    ...overrides,
  };
}

describe('keys and projects', () => {
  it('are given back as they were put', () => {
    const [project, key] = [someProject(), someKey({ projectId: 'prj_1', budget: 7n })];
    books.run('putProject', project);
    books.run('putKey', key);
    expect(books.run('getProject', 'prj_1')).toEqual(project);
    expect(books.run('getKey', 'key_1')).toEqual(key);
    expect(books.run('findKey', key.secretHash)).toEqual({ key, project, channelId: null });
    expect(books.run('listKeys', payer)).toEqual([key]);
    expect(books.run('listProjects', payer)).toEqual([project]);
    expect(books.run('listKeys', `0x${'cd'.repeat(20)}`)).toEqual([]);
    expect(books.run('findKey', hashOf('two'))).toBeUndefined();
  });

  it('are changed in place', () => {
    books.run('putKey', someKey());
    const after = someKey({ name: 'Other', models: null, budget: 5n, rpmLimit: null, expiresAtMs: null });
    books.run('putKey', after);
    expect(books.run('listKeys', payer)).toEqual([after]);
  });

  it('that are deleted stay so, whatever a change that was under way puts back', () => {
    books.run('putKey', someKey());
    books.run('putKey', someKey({ deletedAtMs: nowMs }));
    books.run('putKey', someKey({ name: 'late change' }));
    expect(books.run('findKey', hashOf('one'))).toBeUndefined();
    expect(books.run('getKey', 'key_1')).toMatchObject({ deletedAtMs: nowMs });
    expect(books.run('listKeys', payer)).toEqual([]);
  });

  it('cannot share one secret', () => {
    books.run('putKey', someKey());
    expect(() => books.run('putKey', someKey({ keyId: 'key_2' }))).toThrow(
      expect.objectContaining({ code: 'internal_error' }),
    );
  });
});

describe('headroom for keys', () => {
  const post = (channelId: Hex, cumulativeAmount: bigint) =>
    books.run('acceptHeadroom', { voucher: { channelId, cumulativeAmount, signature }, nowMs });

  it('raises what was signed, and makes the channel that of its payer’s keys', () => {
    const channel = someChannel({ payer });
    books.run('upsertChannel', channel);
    const after = post(channel.channelId, 400n);
    expect(after).toMatchObject({ acceptedCumulative: 400n, acceptedSignature: signature, charged: 0n, reserved: 0n });
    expect(books.run('findKeyChannel', { payer, token: testToken })).toEqual(after);
    books.run('putKey', someKey());
    expect(books.run('findKey', hashOf('one'))).toMatchObject({ channelId: channel.channelId });
  });

  it('never lowers it: the highest voucher counts', () => {
    const channel = someChannel({ payer });
    books.run('upsertChannel', channel);
    post(channel.channelId, 400n);
    expect(post(channel.channelId, 300n)).toMatchObject({ acceptedCumulative: 400n });
    expect(post(channel.channelId, 400n)).toMatchObject({ acceptedCumulative: 400n });
  });

  it('on another channel moves the keys there, in the same token', () => {
    const [first, second] = [someChannel({ payer }), someChannel({ payer })];
    for (const channel of [first, second]) books.run('upsertChannel', channel);
    post(first.channelId, 1n);
    post(second.channelId, 1n);
    expect(books.run('listKeyChannels', payer).map(({ channelId }) => channelId)).toEqual([second.channelId]);
  });

  it('is refused beyond the deposit, and on channels that can pay no more', () => {
    const channel = someChannel({ payer, deposit: 1_000n });
    books.run('upsertChannel', channel);
    const refusal = (code: string) => expect.objectContaining({ code }) as Error;
    expect(() => post(channel.channelId, 1_001n)).toThrow(refusal('amount_exceeds_deposit'));
    expect(() => post(`0x${'99'.repeat(32)}`, 1n)).toThrow(refusal('channel_not_found'));
    const later = (changes: object) => books.run('upsertChannel', { ...channel, readAtBlock: 5, ...changes });
    later({ closeRequestedAt: 9 });
    expect(() => post(channel.channelId, 1n)).toThrow(refusal('channel_closing'));
    later({ settled: 1n });
    expect(() => post(channel.channelId, 1n)).toThrow(refusal('channel_out_of_books'));
    later({ finalized: true });
    expect(() => post(channel.channelId, 1n)).toThrow(refusal('channel_finalized'));
    expect(books.run('findKeyChannel', { payer, token: testToken })).toBeUndefined();
  });

  it('carries calls by keys up to the last unit and no further', () => {
    const channel = someChannel({ payer });
    books.run('upsertChannel', channel);
    post(channel.channelId, 100n);
    const byKey = (quote: bigint) =>
      someReserve(null, quote, {
        funds: { kind: 'key', channelId: channel.channelId },
        budget: { day: 20_717, limitAgpt: 2n ** 127n, rate: 10n ** 18n },
        admittedAtMs: 20_717 * 86_400_000,
        keyId: 'key_1',
      });
    const [first, second, third] = [byKey(60n), byKey(41n), byKey(40n)];
    expect(books.run('reserve', first)).toMatchObject({ ok: true });
    expect(books.run('reserve', second)).toMatchObject({ ok: false, refusal: { code: 'insufficient_headroom' } });
    expect(books.run('reserve', third)).toMatchObject({ ok: true });
    books.run('charge', someCharge(first.callId, 50n));
    expect(books.run('getChannel', channel.channelId)).toMatchObject({ charged: 50n, reserved: 40n });
  });
});

describe('a nonce', () => {
  it('is used once, until it has lapsed', () => {
    const use = (at: number) => books.run('useNonce', { nonce: 'ap00', expiresAtMs: 100, nowMs: at });
    expect([use(1), use(2), use(100)]).toEqual([true, false, false]);
    // By then the relay itself knows that it lapsed, so the row may go.
    expect(books.run('useNonce', { nonce: 'ap01', expiresAtMs: 300, nowMs: 101 })).toBe(true);
    expect(books.db.prepare('SELECT nonce FROM used_nonces').all()).toMatchObject([{ nonce: 'ap01' }]);
  });
});
