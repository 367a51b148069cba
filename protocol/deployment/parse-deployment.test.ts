import { describe, expect, it } from 'vitest';
import { contractAddressesSchema } from './deployment-schema.ts';
import { missingDeployment, parseDeployment } from './parse-deployment.ts';

const names = Object.keys(contractAddressesSchema.shape);
const published = {
  chainId: 8453,
  deployedAtBlock: 77,
  contracts: Object.fromEntries(names.map((name) => [name, `0x${'aB'.repeat(20)}`])),
  tokens: { USDC: { address: `0x${'C'.repeat(40)}`, decimals: 6 } },
};

describe('what is published of a chain', () => {
  it('is read with addresses in lower case', () => {
    const { contracts, tokens, ...rest } = parseDeployment(JSON.stringify(published), 8453);
    expect(rest).toEqual({ chainId: 8453, deployedAtBlock: 77 });
    expect(contracts.keyRegistry).toBe(`0x${'ab'.repeat(20)}`);
    expect(tokens['USDC']).toEqual({ address: `0x${'c'.repeat(40)}`, decimals: 6 });
  });

  it.each([
    [
      'of another chain',
      JSON.stringify(published),
      10,
      'addresses/10.json tells of chain 8453. Rename it to 8453.json',
    ],
    ['incomplete', '{"chainId": 8453}', 8453, 'addresses/8453.json cannot be read (✖ Invalid input'],
    ['no JSON', '{', 8453, 'addresses/8453.json cannot be read (it is no JSON). Run autopay deploy again.'],
  ])('is refused if it is %s', (_what, text, chainId, message) => {
    const parse = () => parseDeployment(text, chainId);
    expect(parse).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
    expect(parse).toThrow(message);
  });

  it('is missed with a remedy', () => {
    expect(missingDeployment(10, undefined)).toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringMatching(/no addresses\/10\.json\. Run autopay deploy\.$/),
    });
  });
});
