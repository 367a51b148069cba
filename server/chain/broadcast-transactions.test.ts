import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { broadcastInOrder, broadcastTransaction } from './broadcast-transactions.ts';
import type { ChainClient } from './create-chain-client.ts';

function clientThat(answer: () => unknown): Pick<ChainClient, 'sendRawTransaction'> {
  return { sendRawTransaction: async () => Promise.resolve(answer()) as Promise<`0x${string}`> };
}

test.each([
  // go-ethereum (core/txpool/errors.go, core/error.go), and op-geth with it
  ['already known', 'taken'],
  ['nonce too low: next nonce 7, tx nonce 5', 'used'],
  ['nonce too high', 'early'],
  ['replacement transaction underpriced', 'cheap'],
  ['transaction underpriced: gas tip cap 1, minimum needed 1000', 'cheap'],
  ['max fee per gas less than block base fee: address 0xaa, maxFeePerGas: 1, baseFee: 9', 'cheap'],
  ['insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1', 'poor'],
  // Nethermind, Besu
  ['AlreadyKnown', 'taken'],
  ['Known transaction', 'taken'],
  // Hardhat
  [
    "Nonce too high. Expected nonce to be 3 but got 5. Note that transactions can't be queued when automining.",
    'early',
  ],
  ["Sender doesn't have enough funds to send tx. The max upfront cost is: 2", 'poor'],
  ['exceeds block gas limit', 'failed'],
  ['socket hang up', 'failed'],
])('"%s" means %s', async (text, kind) => {
  const answer = await broadcastTransaction(
    clientThat(() => {
      throw new Error(text);
    }),
    '0x02',
  );
  expect(answer.kind).toBe(kind);
});

test('a hash means that the node has it', async () => {
  expect(
    await broadcastTransaction(
      clientThat(() => '0xab'),
      '0x02',
    ),
  ).toEqual({ kind: 'taken' });
});

test('what comes too early is sent again in order, and one that is not answered holds up no group', async () => {
  const log: number[] = [];
  let next = 0;
  const take = (nonce: number) => ({
    nonce,
    async send() {
      log.push(nonce);
      // As a node that takes them in order only, and answers later ones faster.
      await sleep(nonce === 0 ? 20 : 1);
      if (nonce > next) return true;
      next = Math.max(next, nonce + 1);
      return false;
    },
  });
  await broadcastInOrder([3, 1, 0, 2].map(take));
  expect(log.slice(0, 4)).toEqual([0, 1, 2, 3]);
  expect(log.slice(4)).toEqual([1, 2, 3]);
  expect(next).toBe(4);

  const started = Date.now();
  const never = { nonce: 0, send: () => new Promise<boolean>(() => undefined) };
  const others: number[] = [];
  const rest = Array.from({ length: 20 }, (_, at) => ({
    nonce: at + 1,
    send: async () => Promise.resolve(others.push(at) < 0),
  }));
  await broadcastInOrder([never, ...rest]);
  expect(others).toHaveLength(20);
  expect(Date.now() - started).toBeLessThan(10_000);
});
