import { describe, expect, it } from 'vitest';
import { toHex, zeroBytes32 } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, signDigest } from '../protocol/bytes/secp256k1.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { createCallId } from '../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { commit, createSalt } from '../protocol/receipt/commitments.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { encodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import { checkReceipt, type DirectPayment } from './check-receipt.ts';
import { doubleTerms } from './testing/relay-double.ts';
import { walletAddress } from './testing/seed-wallet.ts';

// Receipts of payments of one call; those of channels are checked in pay-fetch.test.ts.
const relayKey = Buffer.alloc(32, 0x11);
const [request, answer] = [Buffer.from('{"model":"paid"}'), Buffer.from('{}')];
const scope = { chainId: doubleTerms.chainId, verifyingContract: doubleTerms.payee };
const prices = plainPrices(1_000_000n, 2_000_000n);
const parts = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };

/** The problems of a receipt over 20 units for a call that was paid by a payment of its own. */
function problemsOf(change: Partial<CallReceipt>, by: DirectPayment, quote = by.signed): string[] {
  const [requestSalt, responseSalt] = [createSalt(), createSalt()];
  const callId = createCallId();
  const receipt: CallReceipt = {
    ...{ version: 1, callId, admittedAtMs: Date.now(), chargedAtMs: Date.now(), payer: walletAddress },
    ...{ channelId: zeroBytes32, sequence: 0, runningTotal: 0n, token: doubleTerms.token.address, amount: 20n },
    ...{ refundOwed: by.isTakenWhole ? by.signed - 20n : 0n, priceRoot: `0x${'07'.repeat(32)}`, oracleRound: 0n },
    usage: { prompt: 10, completion: 5, ...parts },
    requestCommitment: toHex(commit({ subject: 'request', salt: requestSalt, bytes: request })),
    responseCommitment: toHex(commit({ subject: 'response', salt: responseSalt, bytes: answer })),
    ...{ attemptsDigest: zeroBytes32, evidenceTier: 'relay-signed', usageKind: 'exact', modelAsked: 'paid' },
    ...{ modelServed: 'paid', provider: 'p', deployment: 'p@test', ...change },
  };
  const entry = encodeReceipt(receipt);
  const batch = { root: hashLeaf(entry), size: 1, signedAtMs: Date.now() };
  const signature = signDigest(receiptBatchDigest(receiptDomainSeparator(scope), batch), relayKey);
  const encoded = encodeSignedReceipt({ entry, index: 0, path: [], signature, requestSalt, responseSalt, ...batch });
  return checkReceipt(encoded, {
    ...{ scope, relay: addressOfPrivateKey(relayKey), callId, model: 'paid' },
    ...{ sentAtMs: Date.now(), receivedAtMs: Date.now(), requestBytes: request, responseBytes: answer },
    prices: { root: receipt.priceRoot, tariff: { prices, conversion: null } },
    payment: { payer: walletAddress, token: doubleTerms.token.address, quote, by },
  }).problems;
}

const exact = { signed: 100n, isTakenWhole: true };
const upto = { signed: 100n, isTakenWhole: false };

describe('a receipt of a payment of one call', () => {
  it('fits where it owes back what was taken beyond the charge: all the rest by exact, nothing by upto', () => {
    expect([problemsOf({}, exact), problemsOf({}, upto)]).toEqual([[], []]);
  });

  it.each<[string, Partial<CallReceipt>, DirectPayment, string]>([
    ['owes less back than was overpaid', { refundOwed: 79n }, exact, 'it owes 79 back, and not 80'],
    ['owes nothing back', { refundOwed: 0n }, exact, 'it owes 0 back, and not 80'],
    ['owes back what was never taken', { refundOwed: 80n }, upto, 'it owes 80 back, and not 0'],
    ['charges a channel', { channelId: `0x${'c4'.repeat(32)}` }, exact, 'it charges channel'],
    ['names another payer', { payer: doubleTerms.payee }, upto, 'as payer'],
    ['charges in another token', { token: doubleTerms.escrow }, upto, 'it charges in token'],
    ['charges more than its usage costs', { amount: 21n, refundOwed: 79n }, exact, 'above price times usage'],
  ])('does not fit where it %s', (_, change, by, problem) => {
    expect(problemsOf(change, by)).toEqual([expect.stringContaining(problem)]);
  });

  it('does not fit where it charges more than the quote', () => {
    expect(problemsOf({}, upto, 19n)).toEqual(['its amount 20 is above the quote 19']);
  });
});
