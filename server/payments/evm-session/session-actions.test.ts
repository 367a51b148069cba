import { decodeFunctionData, type TransactionReceipt } from 'viem';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { paymentChannelsAbi } from '../../../protocol/abi/payment-channels.ts';
import { fromHex, toHex, zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { signDigest } from '../../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../../protocol/errors/error-codes.ts';
import { decodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { formatCredential } from '../../../protocol/mpp/credential.ts';
import { openingNonce, receiveAuthorizationDigest, topUpNonce } from '../../../protocol/typed-data/authorization.ts';
import type { TransactionRequest } from '../../chain/send-queued-transactions.ts';
import type { QueuedTransaction } from '../../ledger/background-ledger.ts';
import type { ChannelOnChain, ChannelState } from '../../ledger/ledger.ts';
import { createEvmSession } from './evm-session.ts';
import { createChallengeIssuer } from './issue-challenge.ts';
import { startVoucherRecoverer } from './recover-vouchers.ts';
import { createDepositRelay } from './relay-deposit.ts';
import { createChannel, createChannelBook, createWallet, terms, usdc, usdcDomain } from './session-fixture.ts';
import { createSponsorLimits } from './sponsor-limits.ts';

const payerKey = fromHex(`0x${'1'.repeat(64)}`);
const payer = createWallet('1');
const stranger = createWallet('2');
const sessionKey = createWallet('3');
const hash: Hex = `0x${'77'.repeat(32)}`;
const salt: Hex = `0x${'5a'.repeat(32)}`;
const recoverer = startVoucherRecoverer({
  scope: { chainId: terms.chainId, verifyingContract: terms.escrow },
  onFatal: (error) => {
    throw error;
  },
});
afterAll(() => recoverer.close());

let nowMs: number;
let onChain: Map<Hex, ChannelOnChain>;
/** What the relay sent, and how the chain takes it. */
let sent: TransactionRequest[];
let chainSays: () => Promise<void>;
let closed: { channel: ChannelState; cumulative: bigint | undefined }[];
let queued: Map<string, Pick<QueuedTransaction, 'status'>>;
beforeEach(() => {
  nowMs = 1_800_000_000_000;
  onChain = new Map();
  sent = [];
  chainSays = () => Promise.resolve();
  closed = [];
  queued = new Map();
});

/** Does what the escrow would. */
function applyDeposit(data: Hex): void {
  const { functionName, args } = decodeFunctionData({ abi: paymentChannelsAbi, data });
  if (functionName === 'openWithAuthorization') {
    const [payee, token, deposit, channelSalt, authorizedSigner, from] = args;
    const named = { payee, token, authorizedSigner, payer: from };
    const lower = Object.fromEntries(Object.entries(named).map(([name, value]) => [name, value.toLowerCase() as Hex]));
    const channel = createChannel(payer, { ...lower, deposit, salt: channelSalt, readAtBlock: 2 });
    onChain.set(channel.channelId, channel);
  } else if (functionName === 'topUpWithAuthorization') {
    const [channelId, added] = args;
    const channel = onChain.get(channelId);
    if (channel) onChain.set(channelId, { ...channel, deposit: channel.deposit + added });
  }
}

function read(channelId: Hex): Promise<ChannelOnChain> {
  const channel = onChain.get(channelId);
  return channel ? Promise.resolve(channel) : Promise.reject(new AutoPayError('channel_not_found', 'none'));
}

function createMethod(bounds: { perPayerPerHour?: number; perHour?: number; timeoutMs?: number } = {}) {
  const { perPayerPerHour = 100, perHour = 1_000, timeoutMs = 1_000 } = bounds;
  const clock = { nowMs: () => nowMs };
  const book = createChannelBook();
  const reader = {
    readChannel: (channelId: Hex) => Promise.resolve(onChain.get(channelId)),
    readOpenTransaction: (_: Hex, { channelId }: { channelId: Hex }) => read(channelId),
    readTopUpTransaction: (_: Hex, { channelId }: { channelId: Hex }) => read(channelId),
  };
  const queue = {
    async send(request: TransactionRequest) {
      // As the queue does: what has succeeded is not sent again.
      if (queued.has(request.purpose)) return { transactionHash: hash } as TransactionReceipt;
      sent.push(request);
      await chainSays();
      applyDeposit(request.data);
      queued.set(request.purpose, { status: 'succeeded' });
      return { transactionHash: hash } as TransactionReceipt;
    },
  };
  const method = createEvmSession({
    ...{ terms, recoverer, reader, ledger: book.ledger, ...clock },
    issuer: createChallengeIssuer({ terms, realm: 'relay', secret: Buffer.alloc(32, 9), ttlSeconds: 60, ...clock }),
    deposits: createDepositRelay({
      ...{ terms, queue, reader, timeoutMs, minDepositPercent: 20, ...clock },
      ledger: { getTransaction: (purpose) => Promise.resolve(queued.get(purpose) as QueuedTransaction | undefined) },
      limits: createSponsorLimits({ perPayerPerHour, perHour, ...clock }),
    }),
    closer: {
      close(channel, final) {
        closed.push({ channel, cumulative: final?.cumulativeAmount });
        return Promise.resolve({ channel, transactionHash: hash });
      },
    },
  });
  const issuer = createChallengeIssuer({
    terms,
    realm: 'relay',
    secret: Buffer.alloc(32, 9),
    ttlSeconds: 60,
    ...clock,
  });
  const challenge = issuer.issue({ token: usdc, quote: 250n, suggestedDeposit: 5_000_000n });
  const credential = (payload: Record<string, unknown>) => ({
    authorization: formatCredential({ challenge, payload }),
  });
  const ask = { path: '/', callId: 'a call', quotes: () => undefined };
  return {
    book,
    /** With a call. */
    call: (payload: Record<string, unknown>) =>
      method.admit({ ...ask, headers: credential(payload), body: Buffer.from('{}') }),
    /** By HEAD. */
    async head(payload: Record<string, unknown>) {
      const admission = await method.admit({ ...ask, headers: credential(payload), body: Buffer.alloc(0) });
      const receipt = admission?.acknowledged?.['payment-receipt'];
      if (receipt === undefined) throw new Error('nothing was acknowledged');
      expect(admission?.funds).toBeNull();
      return decodeBase64UrlJson(receipt);
    },
  };
}
type Subject = ReturnType<typeof createMethod>;

async function expectRefusal(asked: Promise<unknown>, code: ErrorCode, facts: object = {}): Promise<void> {
  await expect(asked).rejects.toMatchObject({ name: 'AutoPayError', code, facts: expect.objectContaining(facts) });
}

interface Changes {
  authorization?: Record<string, unknown>;
  value?: bigint;
  authorizedSigner?: Hex;
  validBefore?: number;
  key?: Buffer;
}

function authorizationOf(nonce: Hex, changes: Changes) {
  const { value = 1_000_000n, validBefore = nowMs / 1_000 + 600, key = payerKey } = changes;
  const message = {
    ...{ from: payer.address, to: terms.escrow, value, validAfter: 0n },
    ...{ validBefore: BigInt(validBefore), nonce },
  };
  const domain = { ...usdcDomain, chainId: terms.chainId, verifyingContract: usdc };
  const signature = toHex(signDigest(receiveAuthorizationDigest(domain, message), key));
  const strings = Object.entries(message).map(([name, field]) => [name, field.toString()] as const);
  return { authorization: { ...Object.fromEntries(strings), ...changes.authorization }, signature };
}

/** The parts of an opening by authorization; its channel. */
function opening(changes: Changes = {}) {
  const { authorizedSigner = zeroAddress } = changes;
  const channel = createChannel(payer, { salt, authorizedSigner });
  const nonce = openingNonce({ ...channel, payer: payer.address, payee: terms.recipient, token: usdc });
  return { channelId: channel.channelId, deposit: { salt, authorizedSigner, ...authorizationOf(nonce, changes) } };
}

function openPayload(cumulative: bigint, changes: Changes = {}, signer = payer): Record<string, unknown> {
  const { channelId, deposit } = opening(changes);
  const voucher = { cumulativeAmount: cumulative.toString(), voucherSignature: signer.sign(channelId, cumulative) };
  return { action: 'open', type: 'authorization', channelId, ...deposit, ...voucher };
}

function topUpPayload(channelId: Hex, changes: Changes = {}): Record<string, unknown> {
  const { value = 1_000_000n } = changes;
  const nonce = topUpNonce({ channelId, additionalDeposit: value, from: payer.address, salt });
  const signed = authorizationOf(nonce, changes);
  return { action: 'topUp', type: 'authorization', channelId, salt, additionalDeposit: value.toString(), ...signed };
}

function voucher(channelId: Hex, cumulative: bigint, signer = payer, more: Record<string, unknown> = {}) {
  const signature = signer.sign(channelId, cumulative);
  return { action: 'voucher', channelId, cumulativeAmount: cumulative.toString(), signature, ...more };
}

async function opened(subject: Subject): Promise<Hex> {
  await subject.head(openPayload(0n));
  sent = [];
  return opening().channelId;
}

describe('open by authorization', () => {
  it('is sent by the relay, and then pays for the call', async () => {
    const subject = createMethod();
    const { channelId } = opening();
    const admission = await subject.call(openPayload(250n));
    expect(admission).toMatchObject({
      funds: { kind: 'voucher', voucher: { channelId, cumulativeAmount: 250n } },
      channel: { channelId, deposit: 1_000_000n, payer: payer.address },
      wantsPaymentEvents: true,
    });
    expect(admission?.acknowledged).toBeUndefined();
    expect(sent).toMatchObject([{ purpose: `open:${channelId}`, to: terms.escrow }]);
  });

  it('by HEAD is acknowledged with a receipt, even with a voucher of nothing', async () => {
    const subject = createMethod();
    const { channelId } = opening();
    expect(await subject.head(openPayload(0n))).toEqual({
      ...{ method: 'evm', intent: 'session', status: 'success', challengeId: expect.any(String), chainId: 31337 },
      ...{ reference: channelId, channelId, acceptedCumulative: '0', spent: '0' },
      timestamp: new Date(nowMs).toISOString(),
    });
  });

  it('may name a session key', async () => {
    const changes = { authorizedSigner: sessionKey.address };
    await expectRefusal(createMethod().call(openPayload(5n, changes)), 'signer_mismatch');
    expect(sent).toEqual([]);
    const admission = await createMethod().call(openPayload(5n, changes, sessionKey));
    expect(admission?.channel?.authorizedSigner).toBe(sessionKey.address);
  });

  it('sent many times at once, and again, is one transaction', async () => {
    const subject = createMethod({ perPayerPerHour: 1 });
    const gate = Promise.withResolvers<void>();
    chainSays = () => gate.promise;
    const asked = Array.from({ length: 20 }, () => subject.call(openPayload(250n)));
    setTimeout(gate.resolve, 20);
    for (const admission of await Promise.all(asked)) expect(admission?.funds).toMatchObject({ kind: 'voucher' });
    await subject.call(openPayload(250n));
    expect(sent).toHaveLength(1);
  });

  it.each<[string, ErrorCode, () => Record<string, unknown>]>([
    ['a voucher of a stranger', 'signer_mismatch', () => openPayload(5n, {}, stranger)],
    ['a voucher beyond the deposit', 'amount_exceeds_deposit', () => openPayload(1_000_001n)],
    [
      'an authorization of a stranger',
      'signer_mismatch',
      () => openPayload(5n, { key: fromHex(`0x${'2'.repeat(64)}`) }),
    ],
    ['a small deposit', 'deposit_too_small', () => openPayload(5n, { value: 999_999n })],
    ['one that ends too soon', 'payment_expired', () => openPayload(5n, { validBefore: nowMs / 1_000 + 59 })],
    [
      'one that begins later',
      'payment_expired',
      () => openPayload(5n, { authorization: { validAfter: '1900000000' } }),
    ],
    ['one to another escrow', 'payment_invalid', () => openPayload(5n, { authorization: { to: usdc } })],
    ['a foreign nonce', 'payment_invalid', () => openPayload(5n, { authorization: { nonce: hash } })],
    ['another salt', 'payment_invalid', () => ({ ...openPayload(5n), salt: hash })],
    ['another value', 'signer_mismatch', () => openPayload(5n, { authorization: { value: '2000000' } })],
  ])('with %s costs the relay nothing: %s', async (_, code, payload) => {
    await expectRefusal(createMethod().call(payload()), code);
    expect(sent).toEqual([]);
  });

  it('is refused beyond the limits, a payer’s own and that of all', async () => {
    const mine = createMethod({ perPayerPerHour: 1 });
    await mine.call(openPayload(5n));
    await expectRefusal(mine.call(topUpPayload(opening().channelId)), 'rate_limit_exceeded', {
      retryAfterSeconds: 3_600,
    });
    nowMs += 3_600_000;
    const all = createMethod({ perHour: 1 });
    onChain.clear();
    queued.clear();
    await all.call(openPayload(5n));
    await expectRefusal(all.call(topUpPayload(opening().channelId)), 'rate_limit_exceeded');
  });

  it('that somebody else has submitted is as good', async () => {
    const subject = createMethod();
    chainSays = () => {
      applyDeposit(sent.at(-1)?.data ?? '0x');
      return Promise.reject(new AutoPayError('transaction_reverted', 'ChannelAlreadyExists'));
    };
    expect(await subject.call(openPayload(5n))).toMatchObject({ channel: { deposit: 1_000_000n } });
  });

  it.each([
    [
      { contractError: 'Error', contractErrorArguments: 'ERC20: transfer amount exceeds balance' },
      'insufficient_funds',
    ],
    [{ contractError: 'DepositOverflow', contractErrorArguments: '1, 2' }, 'transaction_reverted'],
  ] as const)('that the chain refuses with %o is told so, and may be tried again', async (facts, code) => {
    const subject = createMethod();
    chainSays = () => Promise.reject(new AutoPayError('transaction_reverted', 'no', { facts }));
    await expectRefusal(subject.call(openPayload(5n)), code, { channelId: opening().channelId });
    chainSays = () => Promise.resolve();
    await subject.call(openPayload(5n));
    expect(sent).toHaveLength(2);
  });

  it('that takes too long stays good for the same request', async () => {
    const subject = createMethod({ timeoutMs: 10 });
    const gate = Promise.withResolvers<void>();
    chainSays = () => gate.promise;
    await expectRefusal(subject.call(openPayload(5n)), 'transaction_pending');
    gate.resolve();
    expect(await subject.call(openPayload(5n))).toMatchObject({ channel: { deposit: 1_000_000n } });
    expect(sent).toHaveLength(1);
  });
});

describe('topUp', () => {
  it('by authorization raises the deposit; it orders no call', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    const admission = await subject.call(topUpPayload(channelId));
    expect(admission?.acknowledged).toBeDefined();
    expect(admission?.funds).toBeNull();
    expect((await subject.book.ledger.getChannel(channelId))?.deposit).toBe(2_000_000n);
    await subject.head(topUpPayload(channelId));
    expect(sent).toMatchObject([{ purpose: expect.stringMatching(/^top-up:0x/) }]);
    expect((await subject.book.ledger.getChannel(channelId))?.deposit).toBe(2_000_000n);
  });

  it('by hash reads the chain', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    const channel = onChain.get(channelId);
    if (channel) onChain.set(channelId, { ...channel, deposit: 3_000_000n });
    await subject.head({ action: 'topUp', type: 'hash', channelId, hash, additionalDeposit: '2000000' });
    expect((await subject.book.ledger.getChannel(channelId))?.deposit).toBe(3_000_000n);
    expect(sent).toEqual([]);
  });

  it('of an unknown channel, or of two amounts, is refused', async () => {
    const subject = createMethod();
    await expectRefusal(subject.head(topUpPayload(opening().channelId)), 'channel_not_found');
    const channelId = await opened(subject);
    await expectRefusal(subject.head({ ...topUpPayload(channelId), additionalDeposit: '1' }), 'malformed_credential');
    await expectRefusal(subject.head(topUpPayload(channelId, { value: 1n })), 'deposit_too_small');
    expect(sent).toEqual([]);
  });
});

describe('a voucher', () => {
  it('with a deposit opens the channel, or tops it up, in one round trip', async () => {
    const subject = createMethod();
    const { channelId, deposit } = opening();
    const open = { deposit: { action: 'open', type: 'authorization', ...deposit } };
    expect(await subject.call(voucher(channelId, 250n, payer, open))).toMatchObject({
      channel: { deposit: 1_000_000n },
    });
    const { salt: topUpSalt, authorization, signature } = topUpPayload(channelId);
    const topUp = { deposit: { action: 'topUp', type: 'authorization', salt: topUpSalt, authorization, signature } };
    const admission = await subject.call(voucher(channelId, 1_500_000n, payer, topUp));
    expect(admission).toMatchObject({
      channel: { deposit: 2_000_000n },
      funds: { voucher: { cumulativeAmount: 1_500_000n } },
    });
    await expectRefusal(subject.call(voucher(channelId, 1_600_000n, stranger, topUp)), 'signer_mismatch');
    expect(sent).toHaveLength(2);
  });

  it('whose deposit fails is refused with it', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    chainSays = () => Promise.reject(new AutoPayError('transaction_reverted', 'no'));
    const { salt: topUpSalt, authorization, signature } = topUpPayload(channelId);
    const topUp = { deposit: { action: 'topUp', type: 'authorization', salt: topUpSalt, authorization, signature } };
    await expectRefusal(subject.call(voucher(channelId, 5n, payer, topUp)), 'transaction_reverted');
  });

  it('by HEAD is accepted and acknowledged; of a stranger it is not', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    expect(await subject.head(voucher(channelId, 700n))).toMatchObject({ acceptedCumulative: '700', spent: '0' });
    await expectRefusal(subject.head(voucher(channelId, 800n, stranger)), 'signer_mismatch');
    expect((await subject.book.ledger.getChannel(channelId))?.acceptedCumulative).toBe(700n);
  });

  it('by HEAD may not come all the time', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    let last: Promise<unknown> = Promise.resolve();
    for (let step = 1n; step <= 30n; step += 1n) last = subject.head(voucher(channelId, step));
    await expectRefusal(last, 'rate_limit_exceeded', { retryAfterSeconds: 1 });
    nowMs += 1_000;
    await subject.head(voucher(channelId, 31n));
  });
});

describe('close', () => {
  it('is for whoever signs for the channel, and tells the transaction', async () => {
    const subject = createMethod();
    const channelId = await opened(subject);
    await expectRefusal(subject.call({ ...voucher(channelId, 5n, stranger), action: 'close' }), 'signer_mismatch');
    expect(await subject.head({ ...voucher(channelId, 5n), action: 'close' })).toMatchObject({
      channelId,
      txHash: hash,
    });
    const admission = await subject.call({ ...voucher(channelId, 5n), action: 'close' });
    expect(admission?.acknowledged).toBeDefined();
    expect(closed).toMatchObject([{ channel: { channelId }, cumulative: 5n }, {}]);
  });
});
