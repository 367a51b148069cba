import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { changeLimits, readSettings } from '../wallet-limits.ts';
import { openBodyStore, type BodyBounds } from './body-store.ts';
import { createBodyKeeper } from './keep-bodies.ts';

let stateDir: string;
let warnings: string[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-keep-'));
  warnings = [];
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const bounds = { days: 1, mebibytes: 1 };
const keeper = (chosen?: BodyBounds) =>
  createBodyKeeper({ stateDir, bounds: chosen, onWarning: (message) => void warnings.push(message) });
const request = Buffer.from('prompt');

/** Lets it keep a call, and says whether it did. */
async function isKept(keep: ReturnType<typeof keeper>): Promise<boolean> {
  const callId = createCallId();
  await keep(callId, { request });
  return (await openBodyStore(stateDir, bounds).find(callId, 'request')) !== undefined;
}

describe('bodies', () => {
  it('are not kept, unless the owner of the wallet or of its folder wants it', async () => {
    const byFolder = keeper();
    expect(await isKept(byFolder)).toBe(false);
    expect(await isKept(keeper(bounds))).toBe(true);
    await writeFile(join(stateDir, 'settings.json'), '{"keepBodies": {"days": 5}}');
    expect(await isKept(byFolder)).toBe(true);
    // Setting limits leaves it as it is.
    await changeLimits(stateDir, { perDay: '2' });
    expect(await readSettings(stateDir)).toEqual({ limits: { perDay: '2' }, keepBodies: { days: 5, mebibytes: 256 } });
    expect(warnings).toEqual([]);
  });

  it('that could not be kept are told of, and cost no answer', async () => {
    await writeFile(join(stateDir, 'bodies'), 'a file in the way');
    await keeper(bounds)('01a1ff6a-2857-7d87-a98f-91ceff8c2cc6', { request });
    await writeFile(join(stateDir, 'settings.json'), '{"keepBodies": 7}');
    await keeper()('01a1ff6a-2857-7d87-a98f-91ceff8c2cc6', { request });
    expect(warnings).toEqual([expect.stringContaining('were not kept'), expect.stringContaining('is not understood')]);
  });
});
