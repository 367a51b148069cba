import { encodeErrorResult, type Abi, type ContractErrorArgs, type ContractErrorName } from 'viem';
import { describe, expect, it } from 'vitest';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { describeDisputeError } from './describe-dispute-error.ts';

type DisputesAbi = typeof billingDisputesAbi;
const usdc = { symbol: 'USDC', decimals: 6 };
const someone: Hex = `0x${'51'.repeat(20)}`;
const payer: Hex = `0x${'92'.repeat(20)}`;

function encode<Name extends ContractErrorName<DisputesAbi>>(
  errorName: Name,
  args: ContractErrorArgs<DisputesAbi, Name>,
): Hex {
  return encodeErrorResult({ abi: billingDisputesAbi, errorName, args } as never);
}

describe('an error of BillingDisputes', () => {
  it.each([
    [encode('BillingDisputes_TooEarly', [1_795_264_088n]), 'try again from 2026-11-21T12:28:08Z on'],
    [encode('BillingDisputes_TooLate', [0n]), 'it is too late; the time for it ended at 1970-01-01T00:00:00Z'],
    [encode('BillingDisputes_TooOld', [0n, 60n]), 'the evidence is of 1970-01-01T00:00:00Z; only'],
    [encode('BillingDisputes_NotPayer', [someone, payer]), "only the channel's payer 0x92"],
    [encode('BillingDisputes_WrongState', [3n, 8, 3]), 'dispute 3 (metering) is upheld, and this cannot be done'],
    [encode('BillingDisputes_WrongState', [9n, 0, 0]), 'there is no dispute 9; see autopay dispute status'],
    [encode('BillingDisputes_AlreadyDisputed', [`0x${'00'.repeat(32)}`]), 'counts once'],
    [encode('BillingDisputes_NotGovernance', [someone]), 'autopay gov propose'],
    [encode('BillingDisputes_NoContradiction', []), 'fits together, so there is nothing to refund'],
    [
      encode('BillingDisputes_NotSignedByRelay', [someone, 60n]),
      'no receipt key of this relay at 1970-01-01T00:01:00Z',
    ],
  ])('says what it means and what to do (%#)', (data, words) => {
    expect(describeDisputeError(data, usdc)).toContain(words);
  });

  it('tells amounts in the token, or says that they are atomic', () => {
    const tooMuch = encode('BillingDisputes_AmountOutOfRange', [2_500_000n, 1_200_000n]);
    expect(describeDisputeError(tooMuch, usdc)).toBe(
      '2.5 USDC cannot be claimed; say an amount above zero and at most 1.2 USDC',
    );
    expect(describeDisputeError(tooMuch)).toContain('at most 1,200,000 atomic units');
    const nothing = encode('BillingDisputes_AmountOutOfRange', [5n, 0n]);
    expect(describeDisputeError(nothing, usdc)).toContain('the relay has not collected it yet');
  });

  it('has words if a user can cause it: only those of a deployment or a vote on terms have none', () => {
    const anyAbi: Abi = billingDisputesAbi;
    const silent = billingDisputesAbi.flatMap((item) => {
      if (item.type !== 'error' || !item.name.startsWith('BillingDisputes_')) return [];
      const zeros = { address: someone, bytes32: `0x${'00'.repeat(32)}` };
      const args = item.inputs.map(({ type }) => (type in zeros ? zeros[type as keyof typeof zeros] : 0));
      const data = encodeErrorResult({ abi: anyAbi, errorName: item.name, args });
      return describeDisputeError(data, usdc) === undefined ? [item.name] : [];
    });
    expect(silent.toSorted()).toEqual([
      'BillingDisputes_MergeDelayOutOfRange',
      'BillingDisputes_PayoutExceeded',
      'BillingDisputes_TokenDecimals',
      'BillingDisputes_ZeroAddress',
    ]);
  });

  it('of another contract has none here', () => {
    expect(describeDisputeError('0xdeadbeef')).toBeUndefined();
  });
});
