import { CallExecutionError, ExecutionRevertedError, HttpRequestError } from 'viem';
import { describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { domainSeparator } from '../../protocol/typed-data/domain-separator.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { readTokenDomains } from './token-domains.ts';

const chainId = 8453;
const address = (digits: string): Hex => `0x${digits.repeat(20)}`;
const separator = (token: Hex, name: string, version: string) =>
  toHex(domainSeparator({ name, version, chainId, verifyingContract: token }));

const [circle, openzeppelin, plain, liar] = [address('11'), address('22'), address('33'), address('44')];
const tokens: Record<string, Record<string, unknown>> = {
  [circle]: {
    ...{ authorizationState: false, DOMAIN_SEPARATOR: separator(circle, 'USD Coin', '2') },
    ...{ name: 'USD Coin', version: '2' },
  },
  [openzeppelin]: {
    ...{ authorizationState: false, DOMAIN_SEPARATOR: separator(openzeppelin, 'AgentGPT', '1'), name: 'AgentGPT' },
    eip712Domain: ['0x0f', 'AgentGPT', '1', 8453n, openzeppelin, '0x', []],
  },
  [plain]: { name: 'Plain', DOMAIN_SEPARATOR: separator(plain, 'Plain', '1'), version: '1' },
  [liar]: { authorizationState: false, DOMAIN_SEPARATOR: separator(liar, 'Other', '1'), name: 'Liar', version: '1' },
};

function fakeClient(isDown = false) {
  const read = ({ address: token, functionName }: { address: string; functionName: string }) => {
    const value = tokens[token]?.[functionName];
    if (isDown) return Promise.reject(new HttpRequestError({ url: 'http://node.example' }));
    if (value !== undefined) return Promise.resolve(value);
    return Promise.reject(new CallExecutionError(new ExecutionRevertedError({ message: 'reverted' }), {}));
  };
  const getBlockNumber = () => (isDown ? Promise.reject(new HttpRequestError({ url: '' })) : Promise.resolve(1n));
  return { readContract: read, getBlockNumber } as unknown as ChainClient;
}

describe('the EIP-712 domain of a token', () => {
  it('is what the token tells, if its signatures are checked by it', async () => {
    const domains = await readTokenDomains(fakeClient(), { chainId, tokens: [circle, openzeppelin, plain, liar] });
    expect(domains).toEqual([{ name: 'USD Coin', version: '2' }, { name: 'AgentGPT', version: '1' }, null, null]);
  });

  it('is unknown, not missing, where the chain does not answer', async () => {
    await expect(readTokenDomains(fakeClient(true), { chainId, tokens: [circle] })).rejects.toThrow(
      expect.objectContaining({ code: 'chain_unavailable' }),
    );
  });
});
