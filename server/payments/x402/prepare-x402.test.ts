import { CallExecutionError, ExecutionRevertedError } from 'viem';
import { describe, expect, it } from 'vitest';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../../protocol/x402/addresses.ts';
import { decodePayment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import { prepareX402 } from './prepare-x402.ts';
import { requireTerms } from './require-terms.ts';
import { plain, signPayment, terms as offered, usdc } from './x402-fixture.ts';

type Options = Parameters<typeof prepareX402>[0];

const chainWith = (...contracts: readonly string[]) =>
  ({
    ...chain,
    getCode: ({ address }: { address: string }) => Promise.resolve(contracts.includes(address) ? '0x60' : undefined),
  }) as unknown as Options['client'];

/** No token has EIP-3009. */
const chain = {
  getBlockNumber: () => Promise.resolve(1n),
  readContract: () => Promise.reject(new CallExecutionError(new ExecutionRevertedError({ message: 'reverted' }), {})),
};
const client = chainWith(permit2Address, exactProxyAddress, uptoProxyAddress);

const config = (facilitatorUrl?: string) =>
  ({
    chain: { id: 8453 },
    contracts: { paymentDesk: `0x${'de'.repeat(20)}` },
    limits: { callTimeoutMs: 600_000, drainTimeoutMs: 120_500 },
    payment: { x402: facilitatorUrl === undefined ? {} : { facilitatorUrl } },
    realm: 'relay.example',
    tokens: [
      {
        address: usdc.address,
        symbol: 'USDC',
        decimals: 6,
        oracle: false,
        suggestedDeposit: 5_000_000n,
        currencyUnit: 1_000_000n,
      },
    ],
  }) as Options['config'];

describe('x402 of a configuration', () => {
  it('asks for payments that outlast the longest call and its settlement', async () => {
    const { terms, submitter } = await prepareX402({ config: config(), client });
    expect(terms).toEqual({
      chainId: 8453,
      desk: `0x${'de'.repeat(20)}`,
      tokens: [{ address: usdc.address, symbol: 'USDC', domain: null }],
      hasUpto: true,
      hasPermit2Exact: true,
      baseUrl: 'https://relay.example',
      minValiditySeconds: 1_021,
      maxTimeoutSeconds: 1_321,
    });
    expect(submitter).toBeUndefined();
  });

  it('offers no scheme whose contracts the chain does not have', async () => {
    const termsOn = async (...contracts: string[]) =>
      (await prepareX402({ config: config(), client: chainWith(...contracts) })).terms;
    expect(await termsOn(permit2Address, exactProxyAddress)).toMatchObject({ hasUpto: false, hasPermit2Exact: true });
    expect(await termsOn(permit2Address, uptoProxyAddress)).toMatchObject({ hasUpto: true, hasPermit2Exact: false });
    expect(await termsOn(exactProxyAddress, uptoProxyAddress)).toMatchObject({
      hasUpto: false,
      hasPermit2Exact: false,
    });
  });

  it.each([undefined, 'http://127.0.0.1:9'])('bounds what garbage costs, with the facilitator %s', async (url) => {
    const { verifier } = await prepareX402({ config: config(url), client });
    const signed = decodePayment('', encodeHeaderJson(await signPayment({ kind: 'permit2-exact' })));
    const { payment } = requireTerms(offered, signed);
    const forged = { ...payment, signature: '0x1234' } as const;
    const refusals = await Promise.allSettled(Array.from({ length: 60 }, () => verifier.verify(forged, plain)));
    const codes = refusals.map((refusal) => (refusal as { reason: { code?: string } }).reason.code);
    expect(codes.filter((code) => code === 'rate_limit_exceeded').length).toBeGreaterThanOrEqual(8);
    expect(codes[0]).not.toBe('rate_limit_exceeded');
  });

  it('with a facilitator outside leaves verifying and settling to it, and upto out', async () => {
    const { terms, submitter } = await prepareX402({ config: config('http://facilitator.example'), client });
    expect(terms.hasUpto).toBe(false);
    expect(submitter).toMatchObject({ submit: expect.any(Function) });
  });
});
