import { BaseError, encodeErrorResult, RawContractError } from 'viem';
import { describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { decodeRevert, explainRevert } from './explain-revert.ts';

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

  it('that nobody knows is told in the words of the node', () => {
    expect(decodeRevert('0xdeadbeef')).toBeUndefined();
    expect(explainRevert(new BaseError('The call failed.'))).toBe('The call failed.');
  });
});
