import { decodeAbiParameters } from 'viem';
import { AbiWriter, asOnlyArgument } from '../bytes/abi-writer.ts';
import { fromHex, toHex } from '../bytes/hex.ts';
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

const signedReceiptAbi = [
  {
    name: 'signedReceipt',
    type: 'tuple',
    components: [
      { name: 'entry', type: 'bytes' },
      { name: 'index', type: 'uint64' },
      { name: 'size', type: 'uint64' },
      { name: 'signedAtMs', type: 'uint64' },
      { name: 'path', type: 'bytes32[]' },
      { name: 'signature', type: 'bytes' },
      { name: 'requestSalt', type: 'bytes32' },
      { name: 'responseSalt', type: 'bytes32' },
    ],
  },
] as const;

/** Standard base64 of `abi.encode(SignedReceipt)`: the value of `x-autopay-receipt` and of the SSE comment. */
export function encodeSignedReceipt(signed: SignedReceipt): string {
  const tuple = new AbiWriter(8)
    .bytes(signed.entry)
    .number(signed.index)
    .number(signed.size)
    .number(signed.signedAtMs)
    .bytes32Array(signed.path)
    .bytes(signed.signature)
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
    const [raw] = decodeAbiParameters(signedReceiptAbi, toHex(Buffer.from(base64, 'base64')));
    return {
      entry: fromHex(raw.entry),
      index: Number(raw.index),
      size: Number(raw.size),
      signedAtMs: Number(raw.signedAtMs),
      path: raw.path.map((hash) => fromHex(hash, 32)),
      signature: fromHex(raw.signature),
      requestSalt: fromHex(raw.requestSalt, 32),
      responseSalt: fromHex(raw.responseSalt, 32),
    };
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', 'This is not a base64 SignedReceipt, as in x-autopay-receipt.', {
      cause,
    });
  }
}
