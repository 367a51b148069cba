import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { openBodyStore } from './body-store.ts';

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-bodies-'));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const bounds = { days: 2, mebibytes: 1 };
const kept = async () => (await readdir(join(stateDir, 'bodies'))).toSorted();

describe('kept bodies', () => {
  it('are the exact bytes, in files of their owner', async () => {
    const store = openBodyStore(stateDir, bounds);
    const callId = createCallId();
    const request = Buffer.from([0xff, 0x00, 0x0a, 0xc3]);
    expect(await store.find(callId, 'request')).toBeUndefined();
    await store.save(callId, { request });
    expect(await store.find(callId, 'request')).toEqual(request);
    expect(await store.find(callId, 'response')).toBeUndefined();
    expect((await stat(join(stateDir, 'bodies'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(stateDir, 'bodies', `${callId}.request`))).mode & 0o777).toBe(0o600);
  });

  it('are not replaced where a relay gives an id a second time', async () => {
    const store = openBodyStore(stateDir, bounds);
    const callId = createCallId();
    await store.save(callId, { request: Buffer.from('first') });
    await store.save(callId, { request: Buffer.from('second'), response: Buffer.from('answer') });
    expect(String(await store.find(callId, 'request'))).toBe('first');
    expect(String(await store.find(callId, 'response'))).toBe('answer');
    expect(await kept()).toHaveLength(2);
  });

  it('are bounded by age', async () => {
    const [old, young] = [createCallId(), createCallId()];
    const store = openBodyStore(stateDir, bounds);
    await store.save(old, { request: Buffer.from('old'), response: Buffer.from('old') });
    for (const part of ['request', 'response']) {
      const longAgo = new Date(Date.now() - 2 * 86_400_000 - 60_000);
      await utimes(join(stateDir, 'bodies', `${old}.${part}`), longAgo, longAgo);
    }
    const later = openBodyStore(stateDir, bounds);
    expect(await later.save(young, { response: Buffer.from('young') })).toBe(true);
    await later.prune();
    expect(await kept()).toEqual([`${young}.response`]);
  });

  it('are bounded by size: the oldest go first', async () => {
    const store = openBodyStore(stateDir, bounds);
    const half = Buffer.alloc(500_000);
    const ids = [createCallId(), createCallId(), createCallId()];
    for (const [index, callId] of ids.entries()) {
      expect(await store.save(callId, { request: half })).toBe(true);
      const atMs = new Date(Date.now() - 1_000 * (10 - index));
      await utimes(join(stateDir, 'bodies', `${callId}.request`), atMs, atMs);
      await store.prune();
    }
    expect(await kept()).toEqual(
      ids
        .slice(1)
        .map((callId) => `${callId}.request`)
        .toSorted(),
    );
  });

  it('are looked through from time to time, not for every call', async () => {
    const store = openBodyStore(stateDir, bounds);
    const saveNext = () => store.save(createCallId(), { request: Buffer.from('short') });
    expect(await saveNext()).toBe(true);
    await store.prune();
    expect(await saveNext()).toBe(false);
  });

  it('stay as they were kept, whatever comes under the same id', async () => {
    const store = openBodyStore(stateDir, bounds);
    const callId = createCallId();
    await store.save(callId, { request: Buffer.from('first') });
    await store.save(callId, { request: Buffer.from('other'), response: Buffer.from('answer') });
    expect(await store.find(callId, 'request')).toEqual(Buffer.from('first'));
    expect(await store.find(callId, 'response')).toEqual(Buffer.from('answer'));
  });

  it('take no name that is no call id', async () => {
    const store = openBodyStore(stateDir, bounds);
    await store.save('../../outside', { request: Buffer.from('x') });
    await expect(kept()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await store.find('../../outside', 'request')).toBeUndefined();
  });
});
