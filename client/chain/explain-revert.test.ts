import { BaseError, encodeErrorResult, RawContractError } from 'viem';
import { describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { decodeRevert, explainRevert, isRevertOf } from './explain-revert.ts';

const tooLarge = encodeErrorResult({ abi: modelBudgetsAbi, errorName: 'ModelBudgets_TooLarge', args: [5n, 3n] });

describe('a revert', () => {
  it("is told by the contract's own error, whichever contract it came through", () => {
    expect(decodeRevert(tooLarge)).toBe('ModelBudgets_TooLarge(value: 5, maximum: 3)');
    const zero = encodeErrorResult({ abi: autoPayLlmAbi, errorName: 'AutoPayLLM_NothingToBook' });
    expect(decodeRevert(zero)).toBe('AutoPayLLM_NothingToBook()');
  });

  it('with words has those words', () => {
    const words = encodeErrorResult({
      abi: [{ type: 'error', name: 'Error', inputs: [{ name: 'message', type: 'string' }] }],
      errorName: 'Error',
      args: ['no luck'],
    });
    expect(decodeRevert(words)).toBe('no luck');
  });

  it.each([tooLarge, { data: tooLarge, message: 'as some nodes wrap it' }])('is found in a cause (%#)', (data) => {
    const cause = new RawContractError({ message: 'reverted' });
    Object.assign(cause, { data });
    expect(explainRevert(new BaseError('The call failed.', { cause }))).toContain('ModelBudgets_TooLarge');
  });

  it('of a dispute is told in words, with the error that it is, and known by its contract', () => {
    const args = [2_000_000n, 1_000_000n] as const;
    const data = encodeErrorResult({ abi: billingDisputesAbi, errorName: 'BillingDisputes_AmountOutOfRange', args });
    const cause = Object.assign(new RawContractError({ message: 'reverted' }), { data });
    const error = new BaseError('The call failed.', { cause });
    expect(explainRevert(error, { symbol: 'USDC', decimals: 6 })).toBe(
      '2 USDC cannot be claimed; say an amount above zero and at most 1 USDC ' +
        '(BillingDisputes_AmountOutOfRange(amount: 2000000, maximum: 1000000))',
    );
    expect(isRevertOf(error, 'BillingDisputes')).toBe(true);
    expect(isRevertOf(error, 'Billing')).toBe(false);
    expect(isRevertOf(new BaseError('The call failed.'), 'BillingDisputes')).toBe(false);
  });

  it('that nobody knows is told in the words of the node', () => {
    expect(decodeRevert('0xdeadbeef')).toBeUndefined();
    expect(explainRevert(new BaseError('The call failed.'))).toBe('The call failed.');
  });
});
