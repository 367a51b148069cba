import type { FacilitatorEvmSigner } from '@x402/evm';
import { ExactEvmScheme } from '@x402/evm/exact/facilitator';
import { UptoEvmScheme } from '@x402/evm/upto/facilitator';
import { encodeFunctionData, decodeFunctionResult, type Abi } from 'viem';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { TokenPayment } from '../../settlement/payment-payload.ts';
import {
  readPayerState,
  simulate,
  simulatedCall,
  type PayerState,
  type StateReader,
} from '../../settlement/read-payer-state.ts';
import { withTimeout } from '../../with-timeout.ts';
import { requirementsFor } from './build-offers.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import { toX402Payload } from './to-x402-payload.ts';
import type { X402Terms } from './x402-terms.ts';

/** What verification in process needs. */
export interface LocalVerifierOptions {
  client: StateReader;
  terms: X402Terms;
  /** After this the chain counts as unavailable. */
  timeoutMs?: number;
}

/**
 * Verifies payments with the schemes of `@x402/evm`, in process. They ask the chain piecemeal; here all of it is read in
 * one round beforehand, and they are answered from that. Only a contract's own signature (ERC-1271) takes a second round.
 */
export function createLocalVerifier(options: LocalVerifierOptions): PaymentVerifier {
  const { terms, timeoutMs = 5_000 } = options;
  return {
    async verify(payment, token) {
      const reading = readPayerState(options.client, payment, { desk: terms.desk, amount: payment.maximum });
      const state = await withTimeout(reading, { timeoutMs, late });
      const signer = createReadingSigner(options, payment, state);
      const requirements = requirementsFor(terms, { kind: payment.kind, token, amount: payment.maximum });
      const payload = { x402Version: 2, accepted: requirements, payload: toX402Payload(payment) };
      const scheme = payment.kind === 'permit2-upto' ? new UptoEvmScheme(signer) : new ExactEvmScheme(signer);
      const { isValid, invalidReason } = await withTimeout(scheme.verify(payload, requirements), { timeoutMs, late });
      if (!isValid) throw explain(payment, state, invalidReason ?? 'no reason given');
      const { allowance, balance } = state;
      return allowance !== null && allowance < balance ? allowance : balance;
    },
  };
}

/** What a scheme asks its facilitator: reads only, in the name of the desk, and answered from `state` where that holds it. */
function createReadingSigner(
  { client, terms }: LocalVerifierOptions,
  payment: TokenPayment,
  state: PayerState,
): FacilitatorEvmSigner {
  const known = simulatedCall(payment, payment.maximum);
  const refuse = () => Promise.reject(new Error('verification sends no transaction'));
  return {
    getAddresses: () => [terms.desk],
    getCode: async ({ address }) => {
      // Of a token that is taken it is known that it has code.
      const lower = address.toLowerCase();
      return lower === payment.payer ? state.code : lower === payment.token ? '0x00' : undefined;
    },
    async readContract({ address, abi, functionName, args }) {
      const call = { abi: abi as Abi, functionName, args: args ?? [] };
      const to = address.toLowerCase() as Hex;
      const data = encodeFunctionData(call);
      const isKnown = to === known.to && data === known.data;
      // The payer's own code may run here: the node bounds its gas.
      const result = isKnown ? state.simulation : await simulate(client, terms.desk, { to, data });
      if (!result.ok) throw result.error;
      return result.data === '0x' ? undefined : decodeFunctionResult({ ...call, data: result.data });
    },
    verifyTypedData: refuse,
    writeContract: refuse,
    sendTransaction: refuse,
    waitForTransactionReceipt: refuse,
  };
}

/** Says what is wrong by what was read, which is more than the scheme's reason tells. */
function explain(payment: TokenPayment, state: PayerState, reason: string): AutoPayError {
  const { payer, token, maximum } = payment;
  const facts = { reason, payer, token, amount: maximum.toString() };
  const error = (code: AutoPayError['code'], message: string) => new AutoPayError(code, message, { facts });
  if (/signature/.test(reason)) {
    return error('invalid_signature', 'The signature is not the payer’s over this payment. Sign the offer as it is.');
  }
  if (state.isUsed) {
    return error('payment_already_used', 'The nonce of this payment is used on the chain. Sign a new payment.');
  }
  if (state.balance < maximum) {
    return error(
      'insufficient_funds',
      `${payer} holds ${state.balance} of this token, less than the payment. Add some.`,
    );
  }
  if (state.allowance !== null && state.allowance < maximum) {
    const message = 'Permit2 may not take this much of the token. Approve the Permit2 contract once, and pay again.';
    return error('permit2_allowance_required', message);
  }
  return error('payment_invalid', `The payment would fail on the chain (${reason}). Sign an offer as it is.`);
}

function late(): AutoPayError {
  const message = 'The chain did not answer in time, so the payment could not be checked. Send the same payment again.';
  return new AutoPayError('chain_unavailable', message);
}
