import { AbiReader } from '../bytes/abi-reader.ts';
import { AbiWriter, asOnlyArgument, paddedBytes } from '../bytes/abi-writer.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';

/** A receipt with all that proves it: the relay's signature over its batch, and its path in that batch. */
export interface SignedReceipt {
  /** The log entry: the ABI-encoded CallReceipt. */
  entry: Uint8Array;
  /** Position in the batch. */
  index: number;
  /** Number of receipts in the batch. */
  size: number;
  signedAtMs: number;
  /** RFC 6962 path in the batch; empty in a batch of one. */
  path: readonly Uint8Array[];
  /** 65 bytes r ‖ s ‖ v over the ReceiptBatch. */
  signature: Uint8Array;
  /** Opens the request commitment; for the payer only (zero for third parties). */
  requestSalt: Uint8Array;
  /** Opens the response commitment; for the payer only (zero for third parties). */
  responseSalt: Uint8Array;
}

/** Standard base64 of `abi.encode(SignedReceipt)`: the value of `x-autopay-receipt` and of the SSE comment. */
export function encodeSignedReceipt(signed: SignedReceipt): string {
  const { entry, path, signature } = signed;
  const tailBytes = paddedBytes(entry.length) + 32 * (path.length + 1) + paddedBytes(signature.length);
  const tuple = new AbiWriter(8, tailBytes)
    .bytes(entry)
    .number(signed.index)
    .number(signed.size)
    .number(signed.signedAtMs)
    .bytes32Array(path)
    .bytes(signature)
    .fixedBytes(signed.requestSalt, 32)
    .fixedBytes(signed.responseSalt, 32);
  return asOnlyArgument(tuple.finish()).toString('base64');
}

/**
 * Reads what `encodeSignedReceipt` wrote.
 * @throws AutoPayError `invalid_encoding`.
 */
export function decodeSignedReceipt(base64: string): SignedReceipt {
  try {
    const reader = AbiReader.ofOnlyArgument(Buffer.from(base64, 'base64'));
    return {
      entry: reader.bytes(),
      index: reader.number(),
      size: reader.number(),
      signedAtMs: reader.number(),
      path: reader.bytes32Array(),
      signature: reader.bytes(),
      requestSalt: reader.fixedBytes(32),
      responseSalt: reader.fixedBytes(32),
    };
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', 'This is not a base64 SignedReceipt, as in x-autopay-receipt.', {
      cause,
    });
  }
}
