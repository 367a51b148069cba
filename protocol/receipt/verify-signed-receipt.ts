import { recoverSigner } from '../bytes/secp256k1.ts';
import type { Hex } from '../bytes/hex.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import { rootOfPath } from '../merkle/inclusion.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../typed-data/receipt-batch.ts';
import type { TypedDataScope } from '../typed-data/domain-separator.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { decodeReceipt } from './decode-receipt.ts';
import type { CallReceipt } from './call-receipt.ts';
import type { SignedReceipt } from './signed-receipt.ts';

/**
 * Checks a receipt against the relay that is meant to have signed it.
 * @param options.scope chain and AutoPayLLM contract of the relay.
 * @param options.signer the relay's receipt-signing address.
 * @returns the receipt.
 * @throws AutoPayError `invalid_encoding`, `invalid_signature` or `verification_failed`.
 */
export function verifySignedReceipt(
  signed: SignedReceipt,
  options: { scope: TypedDataScope; signer: Hex },
): CallReceipt {
  const { receipt, signer } = recoverReceipt(signed, options.scope);
  if (signer !== options.signer.toLowerCase()) {
    throw new AutoPayError(
      'verification_failed',
      `The receipt is signed by ${signer}, not by the relay's ${options.signer}.`,
    );
  }
  return receipt;
}

/**
 * Says who signed a receipt, for those who do not know the relay's address and ask its contract for it.
 * @throws AutoPayError `invalid_encoding`, `invalid_signature` or `verification_failed`.
 */
export function recoverReceipt(signed: SignedReceipt, scope: TypedDataScope): { receipt: CallReceipt; signer: Hex } {
  const receipt = decodeReceipt(signed.entry);
  const { index, size, path, signedAtMs } = signed;
  const root = rootOfPath({ leafHash: hashLeaf(signed.entry), index, size, path });
  if (root === undefined) {
    throw new AutoPayError('verification_failed', `The path does not fit receipt ${index} of a batch of ${size}.`);
  }
  const digest = receiptBatchDigest(receiptDomainSeparator(scope), { root, size, signedAtMs });
  return { receipt, signer: recoverSigner(digest, signed.signature) };
}
