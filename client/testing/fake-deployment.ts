import type { Abi, PublicClient } from 'viem';
import { custom } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';

const address = (byte: string): Hex => `0x${byte.repeat(20)}`;

/** The time of the fake chain: 2026-11-21T12:00:00Z. */
export const fakeNow = Date.UTC(2026, 10, 21, 12) / 1000;

/** What a fake chain answers: a value or a function of the arguments, by name of the function or event. */
export interface FakeAnswers {
  [name: string]: unknown;
}

interface FakeQuestion {
  address: Hex;
  abi: Abi;
  functionName?: string;
  eventName?: string;
  args?: readonly unknown[];
}

/**
 * A deployment on a chain that answers from a table. It stands where contracts are only read; what they do themselves is
 * tested with the contracts (test/e2e/governance.test.ts).
 */
export function fakeDeployment(answers: FakeAnswers = {}): OpenDeployment {
  const answer = ({ functionName = '', eventName = '', args = [] }: FakeQuestion): Promise<unknown> => {
    const name = functionName + eventName;
    if (!Object.hasOwn(answers, name)) {
      return eventName === '' ? Promise.reject(new Error(`the fake chain does not know ${name}`)) : Promise.resolve([]);
    }
    const value = answers[name];
    return Promise.resolve(typeof value === 'function' ? (value as (...args: unknown[]) => unknown)(...args) : value);
  };
  const reader = {
    readContract: answer,
    getContractEvents: answer,
    getBlockNumber: () => Promise.resolve(1n),
    getBlock: () => Promise.resolve(answers['getBlock'] ?? { timestamp: BigInt(fakeNow) }),
    call: () => Promise.resolve({ data: '0x' }),
  };
  return {
    chainId: 31_337,
    deployedAtBlock: 1,
    contracts: {
      paymentChannels: address('e5'),
      autoPayLLM: address('a1'),
      paymentDesk: address('de'),
      auditLog: address('ad'),
      modelBudgets: address('bd'),
      priceBook: address('b0'),
      priceOracle: address('0c'),
      keyRegistry: address('4e'),
      billingDisputes: address('d1'),
      agpt: address('a9'),
      governor: address('90'),
      timelock: address('71'),
    },
    tokens: { USDC: { address: address('dc'), decimals: 6 }, AGPT: { address: address('a9'), decimals: 18 } },
    reader: reader as unknown as PublicClient,
    transport: custom({ request: () => Promise.reject(new Error('the fake chain takes no transactions')) }),
    now: () => Promise.resolve(fakeNow),
  };
}
