import { beforeAll, describe, expect, it } from 'vitest';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { createPayFetch } from './pay-fetch.ts';
import { openWallet } from './open-wallet.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { recheckReceipt, type ReceiptFacts } from './recheck-receipt.ts';
import { doubleTerms, startRelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

const yes: ReceiptFacts = { isReceiptKey: async () => true, isInForce: async () => true };
let all: StoredReceipt[];
let second: StoredReceipt;
let third: StoredReceipt;

beforeAll(async () => {
  const double = await startRelayDouble();
  const seeded = await seedWallet(double);
  const wallet = openWallet({ relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir });
  for (const model of ['paid', 'paid', 'paid', 'free']) {
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] });
    await (await createPayFetch(wallet)(`${double.url}/v1/chat/completions`, { method: 'POST', body })).text();
  }
  all = await wallet.receipts.list();
  [, second, third] = all as [StoredReceipt, StoredReceipt, StoredReceipt];
  expect(all).toHaveLength(4);
  await double.close();
  await seeded.remove();
});

/** The names of the checks that failed or were left open. */
async function failuresOf(stored: StoredReceipt, facts: ReceiptFacts | undefined = yes, record = all) {
  const { checks } = await recheckReceipt(stored, { all: record, facts });
  return checks.filter(({ isFine }) => isFine !== true).map(({ name, isFine }) => [name, isFine]);
}

describe('a stored receipt, checked again', () => {
  it('holds, with the relay as its signer', async () => {
    for (const stored of all) expect(await failuresOf(stored)).toEqual([]);
    expect(await recheckReceipt(second, { all, facts: yes })).toMatchObject({
      signer: doubleTerms.relay,
      receipt: { sequence: 2, callId: second.callId },
    });
  });

  it('does not hold where the record was changed', async () => {
    expect(await failuresOf({ ...second, amount: '1' })).toEqual([['record', false]]);
    expect(await failuresOf({ ...second, model: 'other' })).toEqual([['record', false]]);
  });

  it('does not hold on another contract: then somebody else signed it', async () => {
    const asked: string[] = [];
    const facts: ReceiptFacts = {
      ...yes,
      isReceiptKey: async (address) => {
        asked.push(address);
        return address === doubleTerms.relay;
      },
    };
    expect(await failuresOf({ ...second, payee: doubleTerms.escrow }, facts)).toEqual([['signer', false]]);
    expect(asked).not.toContain(doubleTerms.relay);
  });

  it('does not hold where the chain denies its key or its price table', async () => {
    expect(await failuresOf(second, { ...yes, isReceiptKey: async () => false })).toEqual([['signer', false]]);
    expect(await failuresOf(second, { ...yes, isInForce: async () => false })).toEqual([['prices', false]]);
  });

  it('is left open where the chain cannot be asked', async () => {
    const { checks } = await recheckReceipt(second, { all, facts: undefined });
    expect(checks.filter(({ isFine }) => isFine === null).map(({ name }) => name)).toEqual(['signer', 'prices']);
  });

  it('does not hold beside a receipt whose running total does not lead to it', async () => {
    const signed = decodeSignedReceipt(second.receipt);
    const receipt = decodeReceipt(signed.entry);
    const entry = encodeReceipt({ ...receipt, runningTotal: receipt.runningTotal + 1n });
    const other = { ...second, receipt: encodeSignedReceipt({ ...signed, entry }) };
    expect(await failuresOf(third, yes, [other, third])).toEqual([['running-total', false]]);
    // What did not fit when it came proves nothing about others.
    expect(await failuresOf(third, yes, [{ ...other, problems: ['it did not fit'] }, third])).toEqual([]);
  });

  it('tells what did not fit when it came', async () => {
    const { checks } = await recheckReceipt({ ...second, problems: ['it was late'] }, { all, facts: yes });
    expect(checks.at(-1)).toEqual({ name: 'arrival', isFine: false, detail: 'then: it was late' });
  });
});
