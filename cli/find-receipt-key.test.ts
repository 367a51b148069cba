import { HttpRequestError } from 'viem';
import { expect, test } from 'vitest';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { openNote } from '../protocol/log/signed-note.ts';
import { relayScope, TestLog } from '../witness/witness-fixture.ts';
import { createReceiptKeyFinder } from './find-receipt-key.ts';

const log = new TestLog().grow(3);
const keyRegistry = `0x${'b7'.repeat(20)}` as const;

interface FakeChain {
  keys: Record<string, { from: number; until: number }>;
  /** Time of its final block, unix seconds; null where it has none. */
  finalAt: number | null;
}

/** A chain whose KeyRegistry has these keys. */
function finderOn(chain: FakeChain, autoPayLLM = relayScope.verifyingContract) {
  const asked: string[] = [];
  const none = { from: 0, until: 0 };
  const reader = {
    getBlock: ({ blockTag }: { blockTag: string }) => {
      asked.push(blockTag);
      if (chain.finalAt === null) return Promise.reject(new Error('unknown block tag'));
      return Promise.resolve({ number: 7n, timestamp: BigInt(chain.finalAt) });
    },
    readContract: (question: { functionName: string; args?: readonly [string, bigint]; blockNumber?: bigint }) => {
      const { args: [key = '', at = 0n] = [], blockNumber, functionName } = question;
      asked.push(functionName);
      if (functionName === 'RETIREMENT_OVERLAP') return Promise.resolve(3_600n);
      const { from, until } = chain.keys[key] ?? none;
      if (functionName === 'isValidAt') return Promise.resolve(from > 0 && from <= at && (until === 0 || at < until));
      expect(blockNumber).toBe(7n);
      // The final block does not have yet what came after it.
      const isThere = from <= (chain.finalAt ?? 0);
      return Promise.resolve(isThere ? { from: BigInt(from), until: BigInt(until) } : { from: 0n, until: 0n });
    },
  } as unknown as Parameters<typeof createReceiptKeyFinder>[0]['reader'];
  const contracts = { autoPayLLM, keyRegistry };
  return { find: createReceiptKeyFinder({ chainId: relayScope.chainId, contracts, reader }), asked, chain };
}

const signedAt = log.nowMs / 1_000;
const note = log.checkpoint({ isRelaySigned: true });
/** The note as it is signed so many seconds later. */
function later(seconds: number): string {
  const before = log.nowMs;
  log.nowMs += seconds * 1_000;
  const signed = log.checkpoint({ isRelaySigned: true });
  log.nowMs = before;
  return signed;
}
const relay = addressOfPrivateKey(log.receiptKey);

const active = { keys: { [relay]: { from: 1_000, until: 0 } } };
const refused = { code: 'invalid_signature' };

test('the receipt key is the one that KeyRegistry has, as of the time of the signature', async () => {
  const { find, asked } = finderOn({ ...active, finalAt: null });
  const verifier = await find(note);
  expect(openNote(note, [verifier]).signatures).toHaveLength(1);
  expect(asked).toEqual(['finalized', 'isValidAt']);
  const ended = finderOn({ keys: { [relay]: { from: 1_000, until: signedAt } }, finalAt: signedAt });
  await expect(ended.find(note)).rejects.toMatchObject(refused);
  await expect(ended.find(later(-1))).resolves.toBeDefined();
  const young = finderOn({ keys: { [relay]: { from: signedAt + 1, until: 0 } }, finalAt: signedAt + 60 });
  await expect(young.find(note)).rejects.toMatchObject(refused);
});

test('what a final block says of a key is asked for once, as long as no later block can change it', async () => {
  const { find, asked, chain } = finderOn({ ...active, finalAt: signedAt - 900 });
  const once = ['finalized', 'periodOf', 'RETIREMENT_OVERLAP'];
  for (const seconds of [0, 0, 60, 2_699, -5_000]) await find(later(seconds));
  expect(asked).toEqual(once);
  // A retirement after the final block ends the key an hour later at the earliest: from then on it is asked again.
  chain.keys = { [relay]: { from: 1_000, until: signedAt + 2_700 } };
  await find(later(2_699));
  expect(asked).toEqual(once);
  await expect(find(later(2_700))).rejects.toMatchObject(refused);
  expect(asked).toEqual([...once, ...once]);
  // It is retired for ever: nothing has to be asked any more.
  await expect(find(later(90_000))).rejects.toMatchObject(refused);
  await expect(find(later(2_699))).resolves.toBeDefined();
  expect(asked).toEqual([...once, ...once]);
});

test('a key that no final block has yet is asked for in the newest one, and nothing of it is remembered', async () => {
  const { find, asked, chain } = finderOn({
    keys: { [relay]: { from: signedAt - 10, until: 0 } },
    finalAt: signedAt - 900,
  });
  await find(note);
  await find(note);
  expect(asked.filter((name) => name === 'isValidAt')).toHaveLength(2);
  // As where a reorganisation has taken it back.
  chain.keys = {};
  await expect(find(note)).rejects.toMatchObject(refused);
});

test('without the signature of such a key, for this contract, there is none', async () => {
  for (const finalAt of [null, signedAt]) {
    await expect(finderOn({ ...active, finalAt }).find(log.checkpoint())).rejects.toMatchObject(refused);
    await expect(finderOn({ keys: {}, finalAt }).find(note)).rejects.toMatchObject(refused);
    // Signed for another contract, whoever recovers from it is a stranger there.
    const elsewhere = finderOn({ ...active, finalAt }, `0x${'a8'.repeat(20)}`);
    await expect(elsewhere.find(note)).rejects.toMatchObject(refused);
  }
});

test('a chain that does not answer is no refusal', async () => {
  const contracts = { autoPayLLM: relayScope.verifyingContract, keyRegistry };
  const fail = () => Promise.reject(new HttpRequestError({ url: 'http://127.0.0.1:1' }));
  const reader = { getBlock: fail, readContract: fail };
  const find = createReceiptKeyFinder({
    ...{ chainId: relayScope.chainId, contracts },
    reader: reader as unknown as Parameters<typeof createReceiptKeyFinder>[0]['reader'],
  });
  await expect(find(log.checkpoint({ isRelaySigned: true }))).rejects.toMatchObject({ code: 'chain_unavailable' });
});
