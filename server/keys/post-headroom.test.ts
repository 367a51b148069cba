import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ChannelOnChain, ChannelState } from '../ledger/ledger.ts';
import { someKeyChannel, testPayer } from './key-fixtures.ts';
import { postHeadroom, type PostHeadroomDeps } from './post-headroom.ts';

const sessionKey: Hex = `0x${'5e'.repeat(20)}`;

function setUp(options: { signer?: Hex; known?: ChannelState; onChain?: ChannelOnChain; isOurs?: boolean } = {}) {
  const { signer = testPayer, known, onChain, isOurs = true } = options;
  const steps: string[] = [];
  const deps: PostHeadroomDeps = {
    ledger: {
      getChannel: async () => known,
      upsertChannel: async (channel) => {
        steps.push('upsert');
        return someKeyChannel(channel);
      },
      acceptHeadroom: async ({ voucher }) => {
        steps.push(`accept ${voucher.cumulativeAmount}`);
        return someKeyChannel({ acceptedCumulative: voucher.cumulativeAmount });
      },
    },
    recoverer: { recover: async () => signer },
    finder: {
      find: async () => {
        steps.push('find');
        return onChain;
      },
      refresh: async () => Boolean(steps.push('refresh')),
    },
    cache: { clear: () => void steps.push('clear') },
    requireOurChannel: () => {
      if (!isOurs) throw new AutoPayError('channel_wrong_payee', 'Not ours.');
    },
    nowMs: () => 0,
  };
  const post = (payer: Hex | null = testPayer, cumulativeAmount = 700_000n) =>
    postHeadroom(deps, { voucher: { channelId: `0x${'77'.repeat(32)}`, cumulativeAmount, signature: '0x' }, payer });
  return { post, steps };
}

describe('posting headroom', () => {
  it('of a known channel takes the voucher, and lets keys be read anew', async () => {
    const { post, steps } = setUp({ known: someKeyChannel() });
    expect(await post()).toMatchObject({ acceptedCumulative: 700_000n });
    expect(steps).toEqual(['accept 700000', 'clear']);
  });

  it('of a channel that was just opened records it first', async () => {
    const { post, steps } = setUp({ onChain: someKeyChannel() });
    await post();
    expect(steps).toEqual(['find', 'upsert', 'accept 700000', 'clear']);
  });

  it('beyond the known deposit looks for a top-up, and after a close was asked for, whether it was taken back', async () => {
    const beyond = setUp({ known: someKeyChannel() });
    await beyond.post(testPayer, 1_000_001n);
    expect(beyond.steps[0]).toBe('refresh');
    const closing = setUp({ known: someKeyChannel({ closeRequestedAt: 5 }) });
    await closing.post();
    expect(closing.steps[0]).toBe('refresh');
  });

  it('is for whoever may sign for the channel, and for nobody else', async () => {
    const known = someKeyChannel({ authorizedSigner: sessionKey });
    await expect(setUp({ known }).post()).rejects.toMatchObject({ code: 'signer_mismatch' });
    expect(await setUp({ known, signer: sessionKey }).post()).toBeTruthy();
    const forged = setUp({ known: someKeyChannel(), signer: sessionKey });
    await expect(forged.post()).rejects.toMatchObject({ code: 'signer_mismatch' });
    expect(forged.steps).toEqual([]);
  });

  it('is for channels of the payer that asks, of this relay, and that exist', async () => {
    const other: Hex = `0x${'cd'.repeat(20)}`;
    await expect(setUp({ known: someKeyChannel() }).post(other)).rejects.toMatchObject({ code: 'forbidden' });
    expect(await setUp({ known: someKeyChannel() }).post(null)).toBeTruthy();
    await expect(setUp({ known: someKeyChannel(), isOurs: false }).post()).rejects.toMatchObject({
      code: 'channel_wrong_payee',
    });
    await expect(setUp().post()).rejects.toMatchObject({ code: 'channel_not_found' });
  });
});
