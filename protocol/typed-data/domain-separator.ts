import { AbiWriter } from '../bytes/abi-writer.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import type { Hex } from '../bytes/hex.ts';

/** Where a signature is valid: one contract on one chain. */
export interface TypedDataScope {
  /** EIP-155 chain id. */
  chainId: number;
  /** The contract that checks the signature. */
  verifyingContract: Hex;
}

const domainTypeHash = keccak256(
  Buffer.from('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
);

/** EIP-712 domain separator. Compute it once for each contract: it never changes. */
export function domainSeparator(options: TypedDataScope & { name: string; version: string }): Buffer {
  const encoded = new AbiWriter(5)
    .fixedBytes(domainTypeHash, 32)
    .fixedBytes(keccak256(Buffer.from(options.name)), 32)
    .fixedBytes(keccak256(Buffer.from(options.version)), 32)
    .number(options.chainId)
    .address(options.verifyingContract)
    .finish();
  return keccak256(encoded);
}

const prefix = Buffer.from('1901', 'hex');

/** The 32 bytes that are signed: keccak256(0x1901 ‖ domain separator ‖ struct hash) (EIP-712). */
export function typedDataDigest(separator: Uint8Array, structHash: Uint8Array): Buffer {
  return keccak256(prefix, separator, structHash);
}
