import { decodeFunctionData } from 'viem';
import { describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { buildAttribution, buildSettlement } from './build-settlement.ts';
import { contracts, duePayment, signedPayment } from './settlement-fixture.ts';

const decode = (data: `0x${string}`) => decodeFunctionData({ abi: paymentDeskAbi, data });
const fields = ({ token, payer, maximum, validAfter, validBefore, nonce } = signedPayment()) => ({
  ...{ token, from: payer, amount: maximum, validAfter, validBefore, nonce },
});

describe('the transaction of a payment', () => {
  it.each([
    ['eip3009', 'acceptAuthorization', 'attributeAuthorization'],
    ['permit2-exact', 'acceptPermit2', 'attributePermit2'],
  ] as const)('takes all that was signed: %s', (kind, accept, attribute) => {
    const payment = duePayment(kind);
    const { purpose, to, data, maxGas } = buildSettlement(contracts, payment);
    expect([purpose, to, maxGas]).toEqual([`pay:${payment.paymentId}`, contracts.paymentDesk, 1_000_000n]);
    const args = [fields(), signedPayment().signature];
    expect(decode(data)).toEqual({ functionName: accept, args });
    const attribution = buildAttribution(contracts, payment, signedPayment(kind));
    expect(attribution).toMatchObject({ purpose: `attribute:${payment.paymentId}`, maxGas: 1_000_000n });
    expect(decode(attribution?.data ?? '0x')).toEqual({ functionName: attribute, args });
  });

  it('takes the charge of upto, and cannot be brought by others', () => {
    const { data } = buildSettlement(contracts, duePayment('permit2-upto'));
    expect(decode(data)).toEqual({ functionName: 'acceptUpto', args: [fields(), 400n, signedPayment().signature] });
    const signed = signedPayment('permit2-upto');
    expect(buildAttribution(contracts, duePayment('permit2-upto'), signed)).toBeUndefined();
  });

  it.each([
    [1n, 1n],
    [8n * 10n ** 14n, 1n],
    [8n * 10n ** 14n + 1n, 2n],
    [10n ** 18n, 1_250n],
  ])('of an allowance counts in whole units, rounded up: %s wei', (charge, units) => {
    const { to, data } = buildSettlement(contracts, duePayment('allowance', { charge }));
    expect(to).toBe(contracts.autoPayLLM);
    const { functionName, args } = decodeFunctionData({ abi: autoPayLlmAbi, data });
    expect(functionName).toBe('executeLLMCall');
    expect(args).toEqual([duePayment().payer, 'openai', 'gpt', units, '0x01930000000070008000000000000001']);
  });
});
