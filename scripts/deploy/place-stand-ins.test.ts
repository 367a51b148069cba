import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../protocol/x402/addresses.ts';
import type { RpcRequest } from './deployment-folder.ts';
import { readNetworkParameters } from './network-parameters.ts';
import { placeStandIns } from './place-stand-ins.ts';

const nothing = { permit2: null, x402: null };

/** A node that has code at some addresses, and may take more. */
function fakeNode(options: { has?: Record<string, string>; isDevelopment?: boolean } = {}) {
  const code: Record<string, string> = { ...options.has };
  const asked: string[] = [];
  const request: RpcRequest = (method, ...params) => {
    const [address, value] = params as [string, string];
    asked.push(method);
    if (method === 'eth_getCode') return Promise.resolve(code[address] ?? '0x');
    if (method === 'hardhat_setCode' && options.isDevelopment !== false) {
      code[address] = value;
      return Promise.resolve(true);
    }
    return Promise.reject(new Error(`the method ${method} does not exist`));
  };
  return { request, code, asked };
}

describe('placeStandIns', () => {
  it('gives a development chain Permit2 and both proxies', async () => {
    const node = fakeNode();
    await placeStandIns(node.request, nothing);
    expect(Object.keys(node.code).sort()).toEqual([permit2Address, exactProxyAddress, uptoProxyAddress].sort());
    for (const code of Object.values(node.code)) expect(code).toMatch(/^0x([0-9a-f]{2}){2000,}$/);
  });

  it('leaves alone what is there', async () => {
    const node = fakeNode({ has: { [permit2Address]: '0xfe' } });
    await placeStandIns(node.request, nothing);
    expect(node.code[permit2Address]).toBe('0xfe');
    expect(node.code[exactProxyAddress]).toBeDefined();
  });

  it('sends nothing to a live network', async () => {
    const node = fakeNode();
    await placeStandIns(node.request, readNetworkParameters('base'));
    expect(node.asked).toEqual([]);
  });

  it('goes on where the node is no development node', async () => {
    const node = fakeNode({ isDevelopment: false });
    await placeStandIns(node.request, nothing);
    expect(node.code).toEqual({});
  });
});

describe('contracts/mocks/permit2.json', () => {
  const file = join(import.meta.dirname, '../../contracts/mocks/permit2.json');
  const permit2 = JSON.parse(readFileSync(file, 'utf8')) as { address: string; runtimeCode: string };

  it('is for the one address', () => {
    expect(permit2.address.toLowerCase()).toBe(permit2Address);
  });

  it('is as long as what is deployed on Ethereum', () => {
    expect((permit2.runtimeCode.length - 2) / 2).toBe(9_152);
  });
});
