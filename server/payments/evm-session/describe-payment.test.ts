import { expect, it } from 'vitest';
import { zeroAddress, zeroBytes32, type Hex } from '../../../protocol/bytes/hex.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import type { ChannelState } from '../../ledger/ledger.ts';
import { describePayment } from './describe-payment.ts';
import { createChannel, createWallet } from './session-fixture.ts';

const onChain = createChannel(createWallet('1'));
const channel: ChannelState = {
  ...onChain,
  ...{ acceptedCumulative: 1_000_000n, acceptedSignature: null, charged: 20n, reserved: 0n, sequence: 1 },
};
const digest: Hex = zeroBytes32;
const receipt: CallReceipt = {
  ...{ version: 1, callId: '0190a5b0-0000-7000-8000-000000000000', admittedAtMs: 1, chargedAtMs: 1_700_000_000_000 },
  ...{ payer: channel.payer, channelId: channel.channelId, sequence: 1, runningTotal: 20n, token: zeroAddress },
  ...{ amount: 20n, refundOwed: 0n, priceRoot: digest, oracleRound: 0n, requestCommitment: digest },
  ...{ responseCommitment: digest, attemptsDigest: digest, evidenceTier: 'relay-signed', usageKind: 'exact' },
  ...{ modelAsked: 'm', modelServed: 'm', provider: 'p', deployment: 'p@l' },
  usage: {
    prompt: 10,
    cachedPrompt: 0,
    cacheWrite: 0,
    audioPrompt: 0,
    completion: 5,
    reasoning: 0,
    audioCompletion: 0,
  },
};

it('is the draft’s Payment-Receipt, the same in the header and in the event', () => {
  const { headers, events } = describePayment(31_337, { challengeId: 'challenge-1' }, { channel, receipt });
  const json = Buffer.from(headers['payment-receipt'] ?? '', 'base64url').toString('utf8');
  expect(events).toBe(`event: payment-receipt\ndata: ${json}\n\n`);
  expect(JSON.parse(json)).toEqual({
    method: 'evm',
    intent: 'session',
    status: 'success',
    timestamp: '2023-11-14T22:13:20.000Z',
    reference: channel.channelId,
    challengeId: 'challenge-1',
    channelId: channel.channelId,
    acceptedCumulative: '1000000',
    spent: '20',
    chainId: 31_337,
    units: 15,
  });
});

it('is nothing where no channel paid', () => {
  const free = describePayment(31_337, { challengeId: 'challenge-1' }, { channel: null, receipt });
  expect(free).toEqual({ headers: {}, events: '' });
});
