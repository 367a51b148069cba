import { encodeFunctionResult, parseAbi, RpcRequestError, CallExecutionError, ExecutionRevertedError } from 'viem';
import { describe, expect, it } from 'vitest';
import { permit2Address } from '../../../protocol/x402/addresses.ts';
import { decodePayment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import type { StateReader } from '../../settlement/read-payer-state.ts';
import { requireTerms } from './require-terms.ts';
import { createLocalVerifier } from './verify-locally.ts';
import { payer, signPayment, terms, type PaymentToSign } from './x402-fixture.ts';

/** What the fake chain says. */
interface World {
  balance?: bigint;
  allowance?: bigint;
  used?: boolean;
  code?: `0x${string}`;
  reverts?: boolean;
  isDown?: boolean;
  hangs?: boolean;
}

const reverted = () => new CallExecutionError(new ExecutionRevertedError({ message: 'execution reverted' }), {});

/** A chain that answers as the world is, and writes down what it was asked and when. */
function fakeChain(world: World) {
  const rounds: string[][] = [];
  let round: string[] | undefined;
  const ask = async <T>(what: string, answer: () => T): Promise<T> => {
    if (round === undefined) {
      rounds.push((round = []));
      // What is asked at once goes to the node in one batch.
      setTimeout(() => (round = undefined), 0);
    }
    round.push(what);
    await new Promise((resolve) => (world.hangs ? undefined : setTimeout(resolve, 1)));
    if (world.isDown) {
      throw new RpcRequestError({ body: {}, error: { code: -1, message: 'down' }, url: 'http://node.example' });
    }
    return answer();
  };
  const reads: Record<string, () => unknown> = {
    balanceOf: () => world.balance ?? 10n ** 9n,
    allowance: () => world.allowance ?? 10n ** 9n,
    authorizationState: () => world.used ?? false,
    nonceBitmap: () => (world.used ? (1n << 256n) - 1n : 0n),
  };
  const client = {
    getCode: () => ask('code', () => world.code),
    readContract: ({ functionName, address }: { functionName: string; address: string }) =>
      ask(address === permit2Address ? `permit2.${functionName}` : functionName, () => reads[functionName]?.()),
    call: ({ account, to }: { account: string; to: string }) => {
      if (account !== terms.desk) throw new Error('not in the name of the desk');
      return ask(to === payer ? 'isValidSignature' : 'simulation', () => {
        if (to === payer) {
          const abi = parseAbi(['function isValidSignature(bytes32, bytes) view returns (bytes4)']);
          const data = encodeFunctionResult({ abi, functionName: 'isValidSignature', result: '0x1626ba7e' });
          return { data };
        }
        if (world.reverts) throw reverted();
        return { data: '0x' };
      });
    },
  };
  return { client: client as unknown as StateReader, rounds };
}

async function verify(world: World, options: PaymentToSign & { signature?: string } = {}) {
  const payment = await signPayment(options);
  const payload = payment['payload'] as { signature: string };
  if (options.signature !== undefined) payload.signature = options.signature;
  const taken = requireTerms(terms, decodePayment('PAYMENT-SIGNATURE', encodeHeaderJson(payment)));
  const { client, rounds } = fakeChain(world);
  const available = await createLocalVerifier({ client, terms, timeoutMs: 200 }).verify(taken.payment, taken.token);
  return { rounds, available };
}
const refusal = (world: World, options: PaymentToSign & { signature?: string } = {}) =>
  verify(world, options).then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  );

const kinds = ['eip3009', 'permit2-exact', 'permit2-upto'] as const;

describe.each(kinds)('verification of %s', (kind) => {
  it('takes one round with the chain', async () => {
    const { rounds } = await verify({}, { kind });
    expect(rounds).toHaveLength(1);
    expect(rounds[0]).toContain('simulation');
  });

  it('tells what the wallet could pay in all', async () => {
    const world = { balance: 9_000n, allowance: 7_000n };
    expect((await verify(world, { kind })).available).toBe(kind === 'eip3009' ? 9_000n : 7_000n);
    expect((await verify({ ...world, allowance: 10_000n }, { kind })).available).toBe(9_000n);
  });

  it('names what the payer has to mend', async () => {
    expect(await refusal({ balance: 4_999n, reverts: true }, { kind })).toBe('insufficient_funds');
    expect(await refusal({ used: true, reverts: true }, { kind })).toBe('payment_already_used');
    expect(await refusal({ reverts: true }, { kind })).toBe('payment_invalid');
    const without = await refusal({ allowance: 0n, reverts: true }, { kind });
    expect(without).toBe(kind === 'eip3009' ? 'payment_invalid' : 'permit2_allowance_required');
  });

  it('refuses the signature of anybody else', async () => {
    const foreign = await signPayment({ kind, amount: 6_000n });
    const { signature } = foreign['payload'] as { signature: string };
    expect(await refusal({}, { kind, signature })).toBe('invalid_signature');
  });

  it('blames no payer for a chain that does not answer', async () => {
    expect(await refusal({ isDown: true }, { kind })).toBe('chain_unavailable');
    expect(await refusal({ hangs: true }, { kind })).toBe('chain_unavailable');
  });

  it('asks a contract that signs', async () => {
    const signature = `0x${'12'.repeat(70)}`;
    const { rounds } = await verify({ code: '0x6000' }, { kind, signature });
    expect(rounds.flat()).toContain('isValidSignature');
    expect(await refusal({ code: '0x' }, { kind, signature })).toBe('invalid_signature');
  });
});
