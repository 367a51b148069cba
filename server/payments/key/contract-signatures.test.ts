import { RpcRequestError } from 'viem';
import { expect, test } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { createContractSignatures } from './contract-signatures.ts';

const ask = { address: `0x${'ab'.repeat(20)}`, digest: Buffer.alloc(32, 1), signature: '0xc0de' } as const;
const word = (selector: string): Hex => `0x${selector.padEnd(64, '0')}`;

function create(answer: () => Promise<{ data?: Hex }>) {
  const calls: { to: Hex; data: Hex; gas: bigint }[] = [];
  const clock = { ms: 0 };
  const call = (request: (typeof calls)[number]) => {
    calls.push(request);
    return answer();
  };
  const client = { call } as unknown as Parameters<typeof createContractSignatures>[0]['client'];
  return { calls, clock, signatures: createContractSignatures({ client, nowMs: () => clock.ms }) };
}

test('a wallet that says the magic value has signed, and is asked with bounded gas', async () => {
  const { calls, signatures } = create(async () => ({ data: word('1626ba7e') }));
  expect(await signatures.isValid(ask)).toBe(true);
  expect(calls).toMatchObject([{ to: ask.address, gas: 500_000n }]);
  expect(calls[0]?.data).toMatch(/^0x1626ba7e(?:01){32}/);
});

test('everything else is a no', async () => {
  for (const data of [
    undefined,
    '0x',
    '0x1626ba7e',
    word('ffffffff'),
    word('00'),
    `0x${'1626ba7e'.padStart(64, '0')}`,
  ] as const) {
    const { signatures } = create(async () => (data === undefined ? {} : { data }));
    expect(await signatures.isValid(ask), data).toBe(false);
  }
});

test('a revert is a no, a chain that does not answer is an error', async () => {
  const reverting = create(() =>
    Promise.reject(
      new RpcRequestError({ body: {}, url: '', error: { code: 3, message: 'execution reverted', data: '0x1234' } }),
    ),
  );
  expect(await reverting.signatures.isValid(ask)).toBe(false);
  const broken = create(() => Promise.reject(new Error('down')));
  await expect(broken.signatures.isValid(ask)).rejects.toMatchObject({ code: 'chain_unavailable' });
});

test('strangers cannot make the relay ask without bound', async () => {
  const { calls, clock, signatures } = create(async () => ({}));
  for (let guess = 0; guess < 50; guess += 1) await signatures.isValid(ask);
  await expect(signatures.isValid(ask)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  clock.ms += 100;
  await signatures.isValid(ask);
  expect(calls).toHaveLength(51);
});
