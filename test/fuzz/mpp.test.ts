import { afterAll, describe, expect, it } from 'vitest';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatChallenge, parseChallenges } from '../../protocol/mpp/challenge.ts';
import { intentOf, parseCredential } from '../../protocol/mpp/credential.ts';
import type { Credential } from '../../protocol/mpp/session-schemas.ts';
import { challengeNonce } from '../../protocol/typed-data/authorization.ts';
import { createVoucherDigester, voucherDigest } from '../../protocol/typed-data/voucher.ts';
import type { VerifiedVoucher } from '../../server/ledger/ledger.ts';
import { createChargeChallenges } from '../../server/payments/evm-charge/charge-terms.ts';
import { readChargePayload } from '../../server/payments/evm-charge/read-charge-payload.ts';
import { createEvmSession } from '../../server/payments/evm-session/evm-session.ts';
import { createChallengeIssuer } from '../../server/payments/evm-session/issue-challenge.ts';
import { readSessionPayload } from '../../server/payments/evm-session/read-session-payload.ts';
import { startVoucherRecoverer } from '../../server/payments/evm-session/recover-vouchers.ts';
import {
  authorize,
  createChannel,
  createChannelBook,
  createWallet,
  terms,
  usdc,
} from '../../server/payments/evm-session/session-fixture.ts';
import { packVouchers, packedVoucherBytes, unpackVoucher } from '../../server/payments/evm-session/voucher-packing.ts';
import { mutateJson, mutateText, type Random } from './mutate.ts';
import { fuzzTimeoutMs, runFuzz } from './run-fuzz.ts';

/** A second passes at each step, so that what is limited by the second is not what refuses. */
let clockMs = 1_800_000_000_000;
const nowMs = () => clockMs;
const secret = Buffer.alloc(32, 9);
const wallet = createWallet('1');
const channel = createChannel(wallet);
const { channelId } = channel;
const cumulative = 250n;
const signature = wallet.sign(channelId, cumulative);
const issuer = createChallengeIssuer({ terms, realm: 'relay', secret, ttlSeconds: 2_000_000_000, nowMs });
const challenge = issuer.issue({ token: usdc, quote: cumulative, suggestedDeposit: 5_000_000n });
const bytes32 = (byte: string): Hex => `0x${byte.repeat(32)}`;

const authorization = {
  ...{ from: wallet.address, to: terms.recipient, value: '1000', validAfter: '0', validBefore: '1900000000' },
  nonce: bytes32('0e'),
};
const deposit = { type: 'authorization', authorization, signature, salt: bytes32('5a') };
const voucher = { channelId, cumulativeAmount: String(cumulative), signature };
/** One of each action and form. */
const sessionPayloads: [object, ...object[]] = [
  { action: 'voucher', ...voucher },
  { action: 'voucher', ...voucher, deposit: { action: 'open', ...deposit, authorizedSigner: wallet.address } },
  { action: 'voucher', ...voucher, deposit: { action: 'topUp', ...deposit } },
  { action: 'open', type: 'hash', hash: bytes32('77'), salt: bytes32('5a'), ...voucher },
  { action: 'open', ...deposit, channelId, cumulativeAmount: '250', voucherSignature: signature },
  { action: 'topUp', type: 'hash', channelId, hash: bytes32('77'), additionalDeposit: '1000' },
  { action: 'topUp', ...deposit, channelId, additionalDeposit: '1000' },
  { action: 'close', ...voucher },
];
const good = authorize({ challenge, channelId, cumulative, signer: wallet });
const goodCredential: Credential = parseCredential(good) ?? { challenge, payload: {} };

/** A credential with its header, its JSON or its payload damaged. */
function mutateCredential(random: Random): string {
  const kind = random.below(3);
  if (kind === 0) return mutateText(good, random);
  const json = kind === 1 ? goodCredential : { ...goodCredential, payload: random.pick(sessionPayloads) };
  return encode(mutateJson(json, random));
}

/** Not in its canonical form, which not every mutated value has. */
function encode(credential: unknown): string {
  return `Payment ${Buffer.from(JSON.stringify(credential)).toString('base64url')}`;
}

const mutatedPayload = (of: object) => (random: Random) => {
  const mutated = mutateJson(of, random);
  return typeof mutated === 'object' && mutated !== null ? (mutated as Record<string, unknown>) : {};
};

const separator = Buffer.alloc(32, 3);

function readPacked(packed: Uint8Array, index: number): VerifiedVoucher {
  const { message, signature } = unpackVoucher(packed, index);
  const [id, amount] = [message.subarray(0, 32), message.subarray(32)];
  return { channelId: toHex(id), cumulativeAmount: BigInt(toHex(amount)), signature: toHex(signature) };
}

describe('mutated input', { timeout: fuzzTimeoutMs }, () => {
  it('of Authorization: Payment is read or refused', async () => {
    const counts = await runFuzz({
      input: mutateCredential,
      check(header) {
        intentOf({ authorization: header });
        return parseCredential(header) ? 'read' : 'another scheme';
      },
    });
    expect([...counts.keys()].toSorted()).toEqual(['another scheme', 'malformed_credential', 'read']);
  });

  it('of WWW-Authenticate is read or refused', async () => {
    const offered = `Bearer realm="x", ${formatChallenge(challenge)}, ${formatChallenge({ ...challenge, intent: 'charge' })}`;
    const counts = await runFuzz({
      input: (random) => mutateText(offered, random),
      check: (header) => `${Math.min(2, parseChallenges(header).length)} challenges`,
    });
    expect(counts.get('2 challenges')).toBeGreaterThan(0);
    expect(counts.get('malformed_credential')).toBeGreaterThan(0);
  });

  it('of a session’s payload is read or refused; a voucher is packed for the thread as it is', async () => {
    const counts = await runFuzz({
      input: (random) => mutatedPayload(random.pick(sessionPayloads))(random),
      check(payload) {
        const read = readSessionPayload(payload);
        if (read.voucher === null) return 'read';
        const packed = packVouchers([read.voucher, read.voucher]);
        expect(readPacked(packed, 1)).toEqual(read.voucher);
        const { message } = unpackVoucher(packed, 1);
        expect(createVoucherDigester(separator)(message)).toEqual(voucherDigest(separator, read.voucher));
        return 'voucher';
      },
    });
    for (const outcome of ['read', 'voucher', 'malformed_credential', 'invalid_signature']) {
      expect(counts.get(outcome), outcome).toBeGreaterThan(0);
    }
  });

  it('of packed vouchers comes back byte for byte', async () => {
    const packed = Buffer.from(packVouchers([{ channelId, cumulativeAmount: cumulative, signature }]));
    await runFuzz({
      input(random) {
        const bytes = Buffer.from(packed);
        for (let times = 1 + random.below(8); times > 0; times -= 1)
          bytes[random.below(packedVoucherBytes)] = random.below(256);
        return toHex(bytes);
      },
      check(hex) {
        expect(toHex(packVouchers([readPacked(fromHex(hex), 0)]))).toBe(hex);
        return 'same';
      },
    });
  });

  it('of a charge’s payload is taken only as it was asked for', async () => {
    const desk: Hex = `0x${'de'.repeat(20)}`;
    const chargeTerms = {
      ...{ chainId: 8453, desk, minValiditySeconds: 1_000, maxTimeoutSeconds: 1_300 },
      tokens: [{ address: usdc, symbol: 'USDC', domain: { name: 'USD Coin', version: '2' }, decimals: 6 }],
    };
    const challenges = createChargeChallenges({ terms: chargeTerms, realm: 'relay', secret, nowMs });
    const asked = challenges.issue({ token: usdc, amounts: { amount: '1000' }, ttlSeconds: 60 });
    const nonce = challengeNonce(asked);
    const payload = { type: 'authorization', ...authorization, to: desk, nonce, signature };
    const counts = await runFuzz({
      input: mutatedPayload(payload),
      check(mutated) {
        const payment = readChargePayload(chargeTerms, { challenge: asked, payload: mutated }, usdc);
        expect(payment).toMatchObject({ kind: 'eip3009', recipient: desk, maximum: 1_000n, nonce, validAfter: 0n });
        return 'taken';
      },
    });
    for (const outcome of ['taken', 'malformed_credential', 'payment_invalid', 'unsupported_payment_action']) {
      expect(counts.get(outcome), outcome).toBeGreaterThan(0);
    }
  });
});

describe('a mutated voucher', { timeout: fuzzTimeoutMs }, () => {
  const recoverer = startVoucherRecoverer({
    scope: { chainId: terms.chainId, verifyingContract: terms.escrow },
    onFatal: (error) => {
      throw error;
    },
  });
  afterAll(() => recoverer.close());
  const touched: string[] = [];
  const touch = (what: string) => () => {
    touched.push(what);
    return Promise.reject(new Error(`a mutated voucher got as far as ${what}`));
  };

  it('admits no call but the one that was signed, and moves nothing', async () => {
    const { ledger, upserts } = createChannelBook();
    await ledger.upsertChannel(channel);
    const before = await ledger.getChannel(channelId);
    const method = createEvmSession({
      ...{
        terms,
        issuer,
        recoverer,
        nowMs,
        deposits: { deposit: touch('a deposit') },
        closer: { close: touch('a close') },
      },
      ledger: { ...ledger, acceptVoucher: touch('accepting'), upsertChannel: touch('a channel') },
      reader: {
        readChannel: () => Promise.resolve(undefined),
        readOpenTransaction: () => Promise.reject(new Error('no open credential is sent here')),
        readTopUpTransaction: touch('a top-up'),
      },
    });
    const counts = await runFuzz({
      parallel: 64,
      input(random) {
        if (random.below(4) === 0) return mutateText(good, random);
        const json = random.below(2) === 0 ? goodCredential : { ...goodCredential, payload: sessionPayloads[0] };
        return encode(mutateJson(json, random));
      },
      async check(header) {
        clockMs += 1_000;
        const request = { headers: { authorization: header }, body: Buffer.from('{}'), path: '/', callId: 'call' };
        const admission = await method.admit({ ...request, quotes: () => undefined });
        if (!admission) return 'another scheme';
        expect(admission.funds).toEqual({
          kind: 'voucher',
          voucher: { channelId, cumulativeAmount: cumulative, signature },
        });
        return 'as it was signed';
      },
    });
    expect(touched).toEqual([]);
    expect(upserts).toEqual([channelId]);
    expect(await ledger.getChannel(channelId)).toEqual(before);
    for (const outcome of ['as it was signed', 'malformed_credential', 'challenge_invalid', 'invalid_signature']) {
      expect(counts.get(outcome), outcome).toBeGreaterThan(0);
    }
  });
});
