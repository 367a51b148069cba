import { decodePayment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import type { FinishedPayment } from '../../call/types.ts';
import type { BackgroundLedger } from '../../ledger/background-ledger.ts';
import type { ChargeResult } from '../../ledger/ledger.ts';
import { describePayment } from '../../settlement/payment-payload.ts';
import { requireSettled } from '../../settlement/require-settled.ts';
import type { SettlementQueue } from '../../settlement/settlement-queue.ts';
import { isKnownPayment } from '../is-known-payment.ts';
import type { MethodAdmission, PaymentMethod, RequestHeaders } from '../payment-method.ts';
import { buildOffers } from './build-offers.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import { requireTerms, requireTime } from './require-terms.ts';
import { v1NetworkOf } from './v1-network.ts';
import { networkOf, type X402Terms } from './x402-terms.ts';

/** What x402 needs. */
export interface X402Options {
  terms: X402Terms;
  verifier: PaymentVerifier;
  ledger: Pick<BackgroundLedger, 'getPayment'>;
  settlement: Pick<SettlementQueue, 'settle'>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** An admission that remembers in which version of x402 its payer is answered. */
interface X402Admission extends MethodAdmission {
  x402Version: 1 | 2;
}

/**
 * Payment by x402 (v2, and v1 where it suffices): a signature of the payer's for this one call, by which the relay takes the money
 * after the answer. A payment is admitted if it is one of our offers, holds long enough, and would be settled now; one that
 * comes again, byte for byte, without asking the chain again, because by then its nonce is used there.
 */
export function createX402(options: X402Options): PaymentMethod {
  const { terms } = options;
  return {
    name: 'x402',
    carries: (headers) => findHeader(headers) !== undefined,
    async admit({ headers }) {
      const header = findHeader(headers);
      if (header === undefined) return undefined;
      const decoded = decodePayment(header.name, header.value);
      const { payment, token } = requireTerms(terms, decoded);
      const described = describePayment(payment);
      let available: bigint | null = null;
      if (!(await isKnownPayment(options.ledger, described))) {
        try {
          requireTime(terms, payment, Math.floor(options.nowMs() / 1_000));
          available = await options.verifier.verify(payment, token);
        } catch (error) {
          // It may have been used, and settled, while it was looked at: the same header sent many times at once.
          if (!(await isKnownPayment(options.ledger, described))) throw error;
        }
      }
      return {
        ...{
          funds: { kind: 'direct', payment: { ...described, available } },
          channel: null,
          token: described.token,
          headroom: null,
        },
        ...{ scopes: [], keyId: null, idempotencyScope: described.payer, wantsPaymentEvents: false },
        x402Version: decoded.version,
      };
    },
    challenge: (context) => buildOffers(terms, context),
    finish: (admission, charge) => finish(options, admission, charge),
  };
}

function findHeader(headers: RequestHeaders): { name: string; value: string } | undefined {
  const v2 = headers['payment-signature'];
  if (v2 !== undefined) return { name: 'PAYMENT-SIGNATURE', value: v2 };
  const v1 = headers['x-payment'];
  return v1 === undefined ? undefined : { name: 'X-PAYMENT', value: v1 };
}

/** Settles, and tells the payer by which transaction (x402 v2, `SettlementResponse`). */
async function finish(
  { settlement, terms }: X402Options,
  admission: MethodAdmission,
  { payment }: ChargeResult,
): Promise<FinishedPayment> {
  if (payment === null || admission.funds?.kind !== 'direct') return { headers: {}, events: '' };
  const transactionHash = payment.captured === 0n ? null : await requireSettled(settlement, payment.paymentId);
  const isV1 = (admission as X402Admission).x402Version === 1;
  const response = {
    success: true,
    transaction: transactionHash ?? '',
    network: isV1 ? v1NetworkOf(terms.chainId) : networkOf(terms),
    payer: admission.funds.payment.payer,
    ...(!isV1 && { amount: payment.captured.toString() }),
  };
  const name = isV1 ? 'x-payment-response' : 'payment-response';
  return { headers: { [name]: encodeHeaderJson(response) }, events: '' };
}
