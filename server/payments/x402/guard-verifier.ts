import { authorizationTypes, permit2WitnessTypes, uptoPermit2WitnessTypes } from '@x402/evm';
import { hashTypedData } from 'viem';
import { fromHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { recoverSigner } from '../../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { permit2Address } from '../../../protocol/x402/addresses.ts';
import type { TokenPayment } from '../../settlement/payment-payload.ts';
import { createTokenBucket } from '../evm-session/token-bucket.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import type { X402Token } from './x402-terms.ts';

/** So many payments are verified at once; the next wait for their turn. */
const maxAtOnce = 64;
/** So many wait; more are refused. */
const maxWaiting = 256;

/**
 * Bounds what payments of strangers cost in exchanges with the chain (or the facilitator). A signature is recovered here first. One
 * that is not the payer's own may be a contract's (ERC-1271), which only the chain can tell, or garbage: of those 50 are looked at
 * after a quiet time, and 10 per second in the long run.
 *
 * @throws AutoPayError `overloaded` or `rate_limit_exceeded` beyond these bounds, and what `verifier` throws
 */
export function guardVerifier(
  verifier: PaymentVerifier,
  { chainId, nowMs }: { chainId: number; nowMs: () => number },
): PaymentVerifier {
  const unrecovered = createTokenBucket({ burst: 50, perSecond: 10, nowMs });
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async verify(payment, token) {
      if (!isSignedByPayer(payment, { chainId, token }) && !unrecovered.take()) {
        throw new AutoPayError('rate_limit_exceeded', `Too many signatures are being checked on the chain. ${remedy}`, {
          facts: { retryAfterSeconds: 1 },
        });
      }
      if (running >= maxAtOnce) {
        if (waiting.length >= maxWaiting) {
          throw new AutoPayError('overloaded', `Too many payments are being checked. ${remedy}`);
        }
        // Its place is handed over, not freed: nobody can come in between.
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else running += 1;
      try {
        return await verifier.verify(payment, token);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}

const remedy = 'Send the same payment again in a second.';

/** Whether the payer's own key signed. False where a contract may have. */
function isSignedByPayer(payment: TokenPayment, options: { chainId: number; token: X402Token }): boolean {
  try {
    return recoverSigner(fromHex(digestOf(payment, options)), fromHex(payment.signature)) === payment.payer;
  } catch {
    return false;
  }
}

/** What is signed: an EIP-3009 authorization in the token's domain, or a Permit2 transfer with the witness of x402's proxy. */
function digestOf(payment: TokenPayment, { chainId, token }: { chainId: number; token: X402Token }): Hex {
  const { kind, payer, recipient, maximum, validAfter, validBefore, nonce } = payment;
  if (kind === 'eip3009') {
    return hashTypedData({
      domain: { ...token.domain, chainId, verifyingContract: payment.token },
      types: authorizationTypes,
      primaryType: 'TransferWithAuthorization',
      message: { from: payer, to: recipient, value: maximum, validAfter, validBefore, nonce },
    });
  }
  const domain = { name: 'Permit2', chainId, verifyingContract: permit2Address };
  const primaryType = 'PermitWitnessTransferFrom';
  const permitted = { token: payment.token, amount: maximum };
  const { spender, facilitator } = payment;
  if (spender === null) throw new Error('a Permit2 payment names its spender');
  const permit = { permitted, spender, nonce: BigInt(nonce), deadline: validBefore };
  if (kind === 'permit2-exact') {
    const message = { ...permit, witness: { to: recipient, validAfter } };
    return hashTypedData({ domain, types: permit2WitnessTypes, primaryType, message });
  }
  if (facilitator === null) throw new Error('an upto payment names its facilitator');
  const message = { ...permit, witness: { to: recipient, facilitator, validAfter } };
  return hashTypedData({ domain, types: uptoPermit2WitnessTypes, primaryType, message });
}
