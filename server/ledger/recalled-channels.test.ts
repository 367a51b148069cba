import { describe, expect, it } from 'vitest';
import { toHex, zeroAddress, zeroBytes32 } from '../../protocol/bytes/hex.ts';
import type { ChannelState } from './ledger.ts';
import { RecalledChannels } from './recalled-channels.ts';

function channel(index: number, charged = 0n): ChannelState {
  const channelId = toHex(Buffer.alloc(32).fill(Buffer.from([index >> 8, index & 255])));
  const addresses = { payer: zeroAddress, payee: zeroAddress, token: zeroAddress, authorizedSigner: zeroAddress };
  const chain = { salt: zeroBytes32, deposit: 1n, settled: 0n, closeRequestedAt: 0, finalized: false, readAtBlock: 1 };
  const books = { acceptedCumulative: 0n, acceptedSignature: null, charged, reserved: 0n, sequence: 0 };
  return { channelId, ...addresses, ...chain, ...books };
}

describe('recalled channels', () => {
  it('keep the newest state, until they are forgotten', () => {
    const recalled = new RecalledChannels();
    recalled.remember(channel(1, 1n));
    recalled.remember(channel(1, 2n));
    recalled.remember(null);
    expect(recalled.get(channel(1).channelId)?.charged).toBe(2n);
    recalled.forget(channel(1).channelId);
    expect(recalled.get(channel(1).channelId)).toBeUndefined();
  });

  it('are bounded, and drop the one used longest ago', () => {
    const recalled = new RecalledChannels();
    for (let index = 0; index < 10_000; index += 1) recalled.remember(channel(index));
    recalled.remember(channel(0));
    recalled.remember(channel(10_000));
    expect(recalled.get(channel(0).channelId)).toBeDefined();
    expect(recalled.get(channel(1).channelId)).toBeUndefined();
    expect(recalled.get(channel(2).channelId)).toBeDefined();
  });
});
