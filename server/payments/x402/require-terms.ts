import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { exactProxyAddress, uptoProxyAddress } from '../../../protocol/x402/addresses.ts';
import type { SignedPayment, X402Payment } from '../../../protocol/x402/decode-payment.ts';
import type { TokenPayment } from '../../settlement/payment-payload.ts';
import { exactKindOf } from './build-offers.ts';
import { findV1Token } from './find-v1-token.ts';
import { v1NetworkOf } from './v1-network.ts';
import { networkOf, type X402Terms, type X402Token } from './x402-terms.ts';

/**
 * Holds a payment against what is offered, down to each address that was signed. Its amount is not judged: whether that
 * suffices for the call, the ledger decides.
 *
 * @throws AutoPayError `payment_invalid`
 */
export function requireTerms(
  terms: X402Terms,
  { version, network, accepted, signed }: X402Payment,
): { payment: TokenPayment; token: X402Token } {
  const isOurNetwork = network === networkOf(terms) || (version === 1 && network === v1NetworkOf(terms.chainId));
  if (!isOurNetwork) throw invalid(`the network is ${networkOf(terms)}, not ${network}`);
  const address = signed.token ?? findV1Token(terms, signed);
  const token = terms.tokens.find((known) => known.address === address);
  if (token === undefined || address === undefined) throw invalid('this token is not taken by x402');
  const { kind, recipient, spender, facilitator, maximum } = signed;
  if (recipient !== terms.desk) throw invalid(`it pays ${recipient}; payTo is ${terms.desk}`);
  if (maximum === 0n) throw invalid('its amount is 0');
  if (kind === 'permit2-upto') {
    if (!terms.hasUpto) throw invalid('upto is not offered');
    if (facilitator !== terms.desk) throw invalid(`its witness.facilitator has to be ${terms.desk}`);
    if (spender !== uptoProxyAddress) throw invalid(`its spender has to be ${uptoProxyAddress}`);
  } else if (kind !== exactKindOf(token)) {
    throw invalid(`${token.symbol} is paid ${kind === 'eip3009' ? 'by Permit2' : 'by EIP-3009'} in the scheme exact`);
  }
  if (kind === 'permit2-exact') {
    if (!terms.hasPermit2Exact) throw invalid('Permit2 is not offered');
    if (spender !== exactProxyAddress) throw invalid(`its spender has to be ${exactProxyAddress}`);
  }
  const isSigned =
    accepted === null || (accepted.asset === address && accepted.amount === maximum && accepted.payTo === terms.desk);
  if (!isSigned) throw invalid('"accepted" and what was signed differ');
  return { payment: { ...signed, token: address }, token };
}

/**
 * Requires that a payment holds now, and long enough for the call and its settlement.
 * @param nowSeconds Unix seconds
 * @throws AutoPayError `payment_expired`
 */
export function requireTime(terms: X402Terms, signed: SignedPayment, nowSeconds: number): void {
  const { minValiditySeconds, maxTimeoutSeconds } = terms;
  if (signed.validAfter > BigInt(nowSeconds)) {
    throw new AutoPayError('payment_expired', 'This payment is not valid yet. Sign one with validAfter 0.');
  }
  if (signed.validBefore >= BigInt(nowSeconds + minValiditySeconds)) return;
  throw new AutoPayError(
    'payment_expired',
    `This payment ends too soon. Sign one that is valid for maxTimeoutSeconds (${maxTimeoutSeconds}), and use it within ${maxTimeoutSeconds - minValiditySeconds} s.`,
  );
}

function invalid(why: string): AutoPayError {
  const message = `The x402 payment is none of the offers: ${why}. Sign an offer of PAYMENT-REQUIRED as it is.`;
  return new AutoPayError('payment_invalid', message);
}
