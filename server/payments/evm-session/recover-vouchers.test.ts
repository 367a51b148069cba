import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { startVoucherRecoverer, type VoucherRecoverer } from './recover-vouchers.ts';
import { createWallet, terms } from './session-fixture.ts';

const scope = { chainId: terms.chainId, verifyingContract: terms.escrow };
const channelId: Hex = `0x${'ab'.repeat(32)}`;
const wallets = ['1', '2', '3'].map(createWallet);
const started: VoucherRecoverer[] = [];
function start(maxWaiting?: number): VoucherRecoverer {
  const options = maxWaiting === undefined ? {} : { maxWaiting };
  const recoverer = startVoucherRecoverer({ scope, onFatal: () => undefined, ...options });
  started.push(recoverer);
  return recoverer;
}
afterEach(() => Promise.all(started.splice(0).map((recoverer) => recoverer.close())));

describe('recovering vouchers in a thread', () => {
  it('gives each of many its own signer, one bad signature hurting no other', async () => {
    const recoverer = start();
    const results = await Promise.allSettled(
      Array.from({ length: 400 }, (_, index) => {
        const wallet = wallets[index % 3] ?? createWallet('4');
        const cumulativeAmount = (1n << 127n) + BigInt(index);
        const signature: Hex = index % 50 === 7 ? `0x${'00'.repeat(65)}` : wallet.sign(channelId, cumulativeAmount);
        return recoverer.recover({ channelId, cumulativeAmount, signature });
      }),
    );
    results.forEach((result, index) => {
      if (index % 50 === 7) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'invalid_signature' } });
      else expect(result).toEqual({ status: 'fulfilled', value: wallets[index % 3]?.address });
    });
  });

  it('refuses what is beyond its bound, and everything once it is closed', async () => {
    const recoverer = start(2);
    const voucher = { channelId, cumulativeAmount: 1n, signature: wallets[0]?.sign(channelId, 1n) ?? '0x' };
    const results = await Promise.allSettled([1, 2, 3].map(() => recoverer.recover(voucher)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    const pending = recoverer.recover(voucher);
    await Promise.all([expect(pending).rejects.toMatchObject({ code: 'overloaded' }), recoverer.close()]);
    await expect(recoverer.recover(voucher)).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('stops while a group is under way without taking the process along', async () => {
    // A process of its own: what native code does where its thread is ended under it is an abort.
    const module = new URL('recover-vouchers.ts', import.meta.url).href;
    const voucher = { channelId, signature: wallets[0]?.sign(channelId, 1n) };
    const script = `(async () => {
      const { startVoucherRecoverer } = await import(${JSON.stringify(module)});
      for (let round = 0; round < 15; round += 1) {
        const onFatal = (error) => { throw error; };
        const recoverer = startVoucherRecoverer({ scope: ${JSON.stringify(scope)}, onFatal });
        const recover = () => recoverer.recover({ ...${JSON.stringify(voucher)}, cumulativeAmount: 1n });
        await recover();
        const ended = Promise.allSettled(Array.from({ length: 1_000 }, recover));
        await new Promise((resolve) => setImmediate(resolve));
        const until = performance.now() + round % 5;
        while (performance.now() < until);
        await recoverer.close();
        await ended;
      }
      process.stdout.write('whole');
    })()`;
    const child = await promisify(execFile)(process.execPath, ['--eval', script]);
    expect(child.stdout).toBe('whole');
  });
});
