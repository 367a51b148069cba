import { encodeFunctionData } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { parseCallId } from '../../protocol/receipt/call-id.ts';
import type { TransactionRequest } from '../chain/send-queued-transactions.ts';
import type { DuePayment } from '../ledger/background-ledger.ts';
import { readPayment, type TokenPayment } from './payment-payload.ts';

/** The contracts that payments go through. */
export interface SettlementContracts {
  autoPayLLM: Hex;
  paymentDesk: Hex;
}

/** A wallet with code checks its own signature, at the relay's expense; no honest one needs this much. */
export const maxSettlementGas = 1_000_000n;

/** Billing units of `executeLLMCall` per AGPT, and AGPT wei per AGPT. */
const unitsPerAgpt = 1250n;
const weiPerAgpt = 10n ** 18n;

/** The transaction that takes a payment. Its purpose names the payment, so that it succeeds once. */
export function buildSettlement(contracts: SettlementContracts, payment: DuePayment): TransactionRequest {
  const purpose = `pay:${payment.paymentId}`;
  const signed = readPayment(payment);
  if (signed === undefined) {
    return { purpose, to: contracts.autoPayLLM, data: encodeAllowanceCall(payment) };
  }
  const desk = { abi: paymentDeskAbi } as const;
  const { signature } = signed;
  const fields = deskFields(signed);
  const call = { purpose, to: contracts.paymentDesk, maxGas: maxSettlementGas };
  switch (signed.kind) {
    case 'eip3009': {
      const args = [fields, signature] as const;
      return { ...call, data: encodeFunctionData({ ...desk, functionName: 'acceptAuthorization', args }) };
    }
    case 'permit2-exact': {
      const args = [fields, signature] as const;
      return { ...call, data: encodeFunctionData({ ...desk, functionName: 'acceptPermit2', args }) };
    }
    case 'permit2-upto': {
      const args = [fields, payment.captured, signature] as const;
      return { ...call, data: encodeFunctionData({ ...desk, functionName: 'acceptUpto', args }) };
    }
  }
}

/**
 * The transaction that attributes a payment which somebody else brought to the desk; undefined for those that nobody else can
 * bring.
 */
export function buildAttribution(
  contracts: SettlementContracts,
  { paymentId }: Pick<DuePayment, 'paymentId'>,
  signed: TokenPayment,
): TransactionRequest | undefined {
  if (signed.kind === 'permit2-upto') return undefined;
  const functionName = signed.kind === 'eip3009' ? 'attributeAuthorization' : 'attributePermit2';
  const args = [deskFields(signed), signed.signature] as const;
  const data = encodeFunctionData({ abi: paymentDeskAbi, functionName, args });
  return { purpose: `attribute:${paymentId}`, to: contracts.paymentDesk, data, maxGas: maxSettlementGas };
}

function deskFields(signed: TokenPayment) {
  const { token, payer: from, maximum: amount, validAfter, validBefore, nonce } = signed;
  return { token, from, amount, validAfter, validBefore, nonce };
}

/** Rounded up to a whole unit, as the contract counts in units. */
function encodeAllowanceCall({ payer, provider, model, charge, callId }: DuePayment): Hex {
  const units = (charge * unitsPerAgpt + weiPerAgpt - 1n) / weiPerAgpt;
  return encodeFunctionData({
    abi: autoPayLlmAbi,
    functionName: 'executeLLMCall',
    args: [payer, provider, model, units, toHex(parseCallId(callId))],
  });
}
