import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWalletState, type WalletChannel } from './wallet-state.ts';

const channel: WalletChannel = {
  relayUrl: 'http://127.0.0.1:4000',
  chainId: 31_337,
  escrow: `0x${'11'.repeat(20)}`,
  payee: `0x${'22'.repeat(20)}`,
  token: `0x${'33'.repeat(20)}`,
  payer: `0x${'44'.repeat(20)}`,
  saltIndex: 0,
  channelId: `0x${'55'.repeat(32)}`,
  status: 'open',
  deposit: 2n ** 127n,
  lastSigned: 0n,
  spent: 0n,
  sequence: 0,
  lowerVouchers: 0,
  recovered: false,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-state-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the wallet state', () => {
  it('is empty at first, then exact, private, and alone in its folder', async () => {
    const state = openWalletState(folder);
    expect((await state.read()).channels).toEqual([]);
    await state.update((saved) => void saved.channels.push(channel));
    expect((await openWalletState(folder).read()).channels).toEqual([channel]);
    expect(await readdir(folder)).toEqual(['channels.json']);
    expect((await stat(join(folder, 'channels.json'))).mode & 0o777).toBe(0o600);
  });

  it('loses no update of two users, and keeps nothing of one that throws', async () => {
    const users = [openWalletState(folder), openWalletState(folder)];
    await users[0]?.update((saved) => void saved.channels.push(channel));
    const raise = (index: number) =>
      users[index % 2]!.update((saved) => {
        const [first] = saved.channels;
        if (first) first.lastSigned += 1n;
        if (index % 5 === 0) throw new Error('changed its mind');
      }).catch(() => undefined);
    await Promise.all(Array.from({ length: 50 }, (_, index) => raise(index)));
    expect((await users[0]?.read())?.channels[0]?.lastSigned).toBe(40n);
  });

  it('is refused when damaged, never overwritten', async () => {
    await writeFile(join(folder, 'channels.json'), '{"version":1,"channels":[{');
    await expect(openWalletState(folder).update(() => undefined)).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    await expect(openWalletState(folder).read()).rejects.toThrow(/damaged/);
  });
});
