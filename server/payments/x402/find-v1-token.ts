import { AbiWriter } from '../../../protocol/bytes/abi-writer.ts';
import { fromHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { keccak256 } from '../../../protocol/bytes/keccak256.ts';
import { recoverSigner } from '../../../protocol/bytes/secp256k1.ts';
import { domainSeparator, typedDataDigest } from '../../../protocol/typed-data/domain-separator.ts';
import type { SignedPayment } from '../../../protocol/x402/decode-payment.ts';
import type { X402Terms } from './x402-terms.ts';

const typeHash = keccak256(
  Buffer.from(
    'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
  ),
);

/**
 * The token of an x402 v1 payment, which names none: the one in whose domain the payer's signature holds. A contract's
 * signature (ERC-1271) tells nothing, so it counts for the first token that takes EIP-3009.
 */
export function findV1Token(terms: X402Terms, signed: SignedPayment): Hex | undefined {
  const tokens = terms.tokens.flatMap(({ address, domain }) => (domain === null ? [] : [{ address, domain }]));
  const structHash = hashAuthorization(signed);
  const signing = tokens.find(({ address, domain }) => {
    const separator = domainSeparator({ ...domain, chainId: terms.chainId, verifyingContract: address });
    return isSignedBy(signed, typedDataDigest(separator, structHash));
  });
  return (signing ?? tokens[0])?.address;
}

function isSignedBy({ payer, signature }: SignedPayment, digest: Uint8Array): boolean {
  try {
    return recoverSigner(digest, fromHex(signature)) === payer;
  } catch {
    return false;
  }
}

function hashAuthorization(signed: SignedPayment): Buffer {
  const encoded = new AbiWriter(7)
    .fixedBytes(typeHash, 32)
    .address(signed.payer)
    .address(signed.recipient)
    .uint256(signed.maximum)
    .uint256(signed.validAfter)
    .uint256(signed.validBefore)
    .fixedBytes(fromHex(signed.nonce, 32), 32)
    .finish();
  return keccak256(encoded);
}
