import { fromHex, zeroAddress, zeroBytes32, type Hex } from '../../../protocol/bytes/hex.ts';
import { addressOfPrivateKey, signDigest } from '../../../protocol/bytes/secp256k1.ts';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { formatCredential } from '../../../protocol/mpp/credential.ts';
import type { ChallengeEcho } from '../../../protocol/mpp/session-schemas.ts';
import { computeChannelId } from '../../../protocol/typed-data/channel-id.ts';
import { voucherDigest, voucherDomainSeparator } from '../../../protocol/typed-data/voucher.ts';
import type { ChannelLedger } from '../../ledger/channel-ledger.ts';
import type { ChannelOnChain, ChannelState, Ledger } from '../../ledger/ledger.ts';
import type { SessionTerms } from './session-terms.ts';

/** For tests: the relay's tokens. */
export const usdc: Hex = `0x${'c1'.repeat(20)}`;
export const agpt: Hex = `0x${'c2'.repeat(20)}`;

/** For tests: the domain of its authorizations; the other token has none. */
export const usdcDomain = { name: 'USD Coin', version: '2' };

/** For tests: the terms of a relay. */
export const terms: SessionTerms = {
  chainId: 31337,
  escrow: `0x${'e1'.repeat(20)}`,
  recipient: `0x${'a1'.repeat(20)}`,
  tokens: [
    { address: usdc, symbol: 'USDC', decimals: 6, suggestedDeposit: () => 5_000_000n, domain: usdcDomain },
    { address: agpt, symbol: 'AGPT', decimals: 18, suggestedDeposit: () => 500n * 10n ** 18n, domain: null },
  ],
};

/** For tests: a wallet with fixed key. */
export function createWallet(digit: string) {
  const key = fromHex(`0x${digit.repeat(64)}`);
  const separator = voucherDomainSeparator({ chainId: terms.chainId, verifyingContract: terms.escrow });
  return {
    address: addressOfPrivateKey(key),
    sign: (channelId: Hex, cumulativeAmount: bigint): Hex =>
      toHex(signDigest(voucherDigest(separator, { channelId, cumulativeAmount }), key)),
  };
}
export type TestWallet = ReturnType<typeof createWallet>;

/** For tests: a channel of 1,000,000 atomic units that pays the relay. */
export function createChannel(payer: TestWallet, changes: Partial<ChannelOnChain> = {}): ChannelOnChain {
  const channel = {
    payer: payer.address,
    payee: terms.recipient,
    token: usdc,
    salt: zeroBytes32,
    authorizedSigner: zeroAddress,
    deposit: 1_000_000n,
    settled: 0n,
    closeRequestedAt: 0,
    finalized: false,
    readAtBlock: 1,
    ...changes,
  };
  return { channelId: computeChannelId({ ...channel, escrow: terms.escrow, chainId: terms.chainId }), ...channel };
}

/** For tests: the `Authorization` header of a voucher. */
export function authorize(options: {
  challenge: ChallengeEcho;
  channelId: Hex;
  cumulative: bigint;
  signer: TestWallet;
  payload?: Record<string, unknown>;
}): string {
  const { challenge, channelId, cumulative, signer } = options;
  const signature = signer.sign(channelId, cumulative);
  const payload = {
    action: 'voucher',
    channelId,
    cumulativeAmount: cumulative.toString(),
    signature,
    ...options.payload,
  };
  return formatCredential({ challenge, payload });
}

/** For tests: the channels of a ledger, in memory (a double: it keeps what it is given and decides nothing). */
export function createChannelBook() {
  const channels = new Map<Hex, ChannelState>();
  const upserts: Hex[] = [];
  const ledger: Pick<Ledger, 'getChannel' | 'recallChannel' | 'upsertChannel'> & Pick<ChannelLedger, 'acceptVoucher'> =
    {
      acceptVoucher({ channelId, cumulativeAmount: acceptedCumulative, signature: acceptedSignature }) {
        const channel = channels.get(channelId);
        if (!channel) throw new Error('the test has no such channel');
        const after = { ...channel, acceptedCumulative, acceptedSignature };
        channels.set(channelId, after);
        return Promise.resolve(after);
      },
      recallChannel: () => undefined,
      getChannel: (channelId) => Promise.resolve(channels.get(channelId)),
      upsertChannel: (channel) => {
        upserts.push(channel.channelId);
        const fresh = { acceptedCumulative: 0n, acceptedSignature: null, charged: 0n, reserved: 0n, sequence: 0 };
        const state = { ...fresh, ...channels.get(channel.channelId), ...channel };
        channels.set(channel.channelId, state);
        return Promise.resolve(state);
      },
    };
  return { ledger, upserts };
}
