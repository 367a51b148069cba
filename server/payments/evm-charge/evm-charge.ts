import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { formatChallenge } from '../../../protocol/mpp/challenge.ts';
import { parseCredential, paymentAuthorization } from '../../../protocol/mpp/credential.ts';
import type { FinishedPayment } from '../../call/types.ts';
import type { BackgroundLedger } from '../../ledger/background-ledger.ts';
import type { ChargeResult } from '../../ledger/ledger.ts';
import { describePayment } from '../../settlement/payment-payload.ts';
import { requireSettled } from '../../settlement/require-settled.ts';
import type { SettlementQueue } from '../../settlement/settlement-queue.ts';
import { isKnownPayment } from '../is-known-payment.ts';
import type { OwnChallenges } from '../own-challenges.ts';
import type { Challenge, ChallengeContext, MethodAdmission, PaymentMethod } from '../payment-method.ts';
import type { PaymentVerifier } from '../x402/payment-verifier.ts';
import type { ChargeTerms } from './charge-terms.ts';
import { readChargePayload } from './read-charge-payload.ts';

/** What payment by `evm/charge` needs. */
export interface EvmChargeOptions {
  terms: ChargeTerms;
  challenges: OwnChallenges;
  verifier: PaymentVerifier;
  ledger: Pick<BackgroundLedger, 'getPayment'>;
  settlement: Pick<SettlementQueue, 'settle'>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Payment of one call by an EIP-3009 authorization that answers a challenge (MPP method "evm", intent "charge"). The quote is
 * taken after the answer, and what the call did not cost goes back with the booking. A payment that comes again, byte for
 * byte, is admitted without asking the chain again, because by then its nonce is used there; and though its challenge has ended.
 */
export function createEvmCharge(options: EvmChargeOptions): PaymentMethod {
  const { challenges, ledger, terms } = options;
  return {
    name: 'evm/charge',
    carries: (headers) => paymentAuthorization(headers) !== undefined,
    async admit({ headers }) {
      const authorization = paymentAuthorization(headers);
      const credential = authorization === undefined ? undefined : parseCredential(authorization);
      if (credential?.challenge.method !== 'evm' || credential.challenge.intent !== 'charge') return undefined;
      const { challenge } = credential;
      const address = challenges.recognise(challenge);
      const token = terms.tokens.find((known) => known.address === address);
      if (!token) throw new AutoPayError('internal_error', `There are challenges for ${address}, but no terms.`);
      const payment = readChargePayload(terms, credential, address);
      const described = describePayment(payment);
      let available: bigint | null = null;
      if (!(await isKnownPayment(ledger, described))) {
        try {
          challenges.requireCurrent(challenge);
          requireTime(options, described.validBefore);
          available = await options.verifier.verify(payment, token);
        } catch (error) {
          // It may have been used, and settled, while it was looked at: the same credential sent many times at once.
          if (!(await isKnownPayment(ledger, described))) throw error;
        }
      }
      return {
        ...{
          funds: { kind: 'direct', payment: { ...described, available } },
          channel: null,
          token: address,
          headroom: null,
        },
        ...{ scopes: [], keyId: null, idempotencyScope: described.payer },
        // The draft has no events for a charge, and clients that pay by it may not bear any.
        ...{ challengeId: challenge.id, wantsPaymentEvents: false },
      };
    },
    challenge: (context) => issueAll(options, context),
    finish: (admission, charge) => finish(options, admission, charge),
  };
}

/** One challenge for each token that the call can be paid in by EIP-3009. */
function issueAll({ challenges, terms }: EvmChargeOptions, { quotes }: ChallengeContext): Challenge | undefined {
  const ttlSeconds = terms.maxTimeoutSeconds;
  const offers = terms.tokens.flatMap(({ address: token }) => {
    const quote = quotes?.get(token) ?? 0n;
    return quote > 0n
      ? [formatChallenge(challenges.issue({ token, amounts: { amount: `${quote}` }, ttlSeconds }))]
      : [];
  });
  if (offers.length === 0) return undefined;
  return {
    offers: offers.length,
    headers: (count) => ({ 'WWW-Authenticate': offers.slice(0, count).join(', ') }),
    facts: {},
  };
}

/** It has to hold until the longest call has ended and is settled. */
function requireTime({ terms, nowMs }: EvmChargeOptions, validBefore: number | null): void {
  const { minValiditySeconds, maxTimeoutSeconds } = terms;
  if (validBefore === null || validBefore >= Math.floor(nowMs() / 1_000) + minValiditySeconds) return;
  throw new AutoPayError(
    'payment_expired',
    `This payment ends too soon. Sign one whose validBefore is the expiry of its challenge, and use it within ${maxTimeoutSeconds - minValiditySeconds} s.`,
  );
}

/** Settles, and tells the payer by which transaction (MPP EVM charge draft, "Receipt Generation"). */
async function finish(
  { settlement, terms }: EvmChargeOptions,
  { challengeId }: MethodAdmission,
  { payment, receipt }: ChargeResult,
): Promise<FinishedPayment> {
  if (payment === null || challengeId === undefined) return { headers: {}, events: '' };
  const transaction = payment.captured === 0n ? null : await requireSettled(settlement, payment.paymentId);
  const json = JSON.stringify({
    method: 'evm',
    intent: 'charge',
    challengeId,
    // A call that cost nothing was not taken any money for: then the payment stands for it.
    reference: transaction ?? payment.paymentId,
    status: 'success',
    timestamp: new Date(receipt.chargedAtMs).toISOString(),
    chainId: terms.chainId,
    amount: payment.captured.toString(),
    refundOwed: receipt.refundOwed.toString(),
  });
  return { headers: { 'payment-receipt': Buffer.from(json).toString('base64url') }, events: '' };
}
