import { HttpRequestError } from 'viem';
import { expect, test } from 'vitest';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { openNote } from '../protocol/log/signed-note.ts';
import { relayScope, TestLog } from '../witness/witness-fixture.ts';
import { createReceiptKeyFinder } from './find-receipt-key.ts';

const log = new TestLog().grow(3);
const keyRegistry = `0x${'b7'.repeat(20)}` as const;

/** A chain whose KeyRegistry has these keys. */
function finderOn(keys: readonly string[], autoPayLLM = relayScope.verifyingContract) {
  const asked: unknown[] = [];
  const reader = {
    readContract: (question: { address: string; args: readonly [string, bigint] }) => {
      asked.push([question.address, question.args[1]]);
      return Promise.resolve(keys.includes(question.args[0]));
    },
  } as unknown as Parameters<typeof createReceiptKeyFinder>[0]['reader'];
  const contracts = { autoPayLLM, keyRegistry };
  return { find: createReceiptKeyFinder({ chainId: relayScope.chainId, contracts, reader }), asked };
}

const relay = addressOfPrivateKey(log.receiptKey);

test('the receipt key is the one that KeyRegistry has, as of the time of the signature', async () => {
  const { find, asked } = finderOn([relay]);
  const note = log.checkpoint({ isRelaySigned: true });
  const verifier = await find(note);
  expect(openNote(note, [verifier]).signatures).toHaveLength(1);
  expect(asked).toEqual([[keyRegistry, BigInt(log.nowMs / 1_000)]]);
});

test('without the signature of such a key, for this contract, there is none', async () => {
  const refused = { code: 'invalid_signature' };
  await expect(finderOn([relay]).find(log.checkpoint())).rejects.toMatchObject(refused);
  const note = log.checkpoint({ isRelaySigned: true });
  await expect(finderOn([]).find(note)).rejects.toMatchObject(refused);
  // Signed for another contract, whoever recovers from it is a stranger there.
  await expect(finderOn([relay], `0x${'a8'.repeat(20)}`).find(note)).rejects.toMatchObject(refused);
});

test('a chain that does not answer is no refusal', async () => {
  const contracts = { autoPayLLM: relayScope.verifyingContract, keyRegistry };
  const reader = { readContract: () => Promise.reject(new HttpRequestError({ url: 'http://127.0.0.1:1' })) };
  const find = createReceiptKeyFinder({
    ...{ chainId: relayScope.chainId, contracts },
    reader: reader as unknown as Parameters<typeof createReceiptKeyFinder>[0]['reader'],
  });
  await expect(find(log.checkpoint({ isRelaySigned: true }))).rejects.toMatchObject({ code: 'chain_unavailable' });
});
