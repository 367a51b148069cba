import { AbiReader } from '../bytes/abi-reader.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { formatCallId } from './call-id.ts';
import { evidenceTiers, usageKinds, type CallReceipt, type TokenUsage } from './call-receipt.ts';
import { encodeReceipt } from './encode-receipt.ts';

function readUsage(reader: AbiReader): TokenUsage {
  return {
    prompt: reader.number(),
    cachedPrompt: reader.number(),
    cacheWrite: reader.number(),
    audioPrompt: reader.number(),
    completion: reader.number(),
    reasoning: reader.number(),
    audioCompletion: reader.number(),
  };
}

function readNamed<T>(reader: AbiReader, names: readonly T[]): T {
  const name = names[reader.number()];
  if (name === undefined) throw new RangeError('unknown evidence tier or usage kind');
  return name;
}

function decode(entry: Uint8Array): CallReceipt {
  const reader = AbiReader.ofOnlyArgument(entry);
  if (reader.number() !== 1) throw new RangeError('unknown version');
  // Members are evaluated in the order in which they stand here: that of the struct.
  return {
    version: 1,
    callId: formatCallId(reader.fixedBytes(16)),
    admittedAtMs: reader.number(),
    chargedAtMs: reader.number(),
    payer: reader.address(),
    channelId: reader.bytes32(),
    sequence: reader.number(),
    runningTotal: reader.uint128(),
    token: reader.address(),
    amount: reader.uint128(),
    refundOwed: reader.uint128(),
    priceRoot: reader.bytes32(),
    oracleRound: reader.uint256(),
    usage: readUsage(reader),
    requestCommitment: reader.bytes32(),
    responseCommitment: reader.bytes32(),
    attemptsDigest: reader.bytes32(),
    evidenceTier: readNamed(reader, evidenceTiers),
    usageKind: readNamed(reader, usageKinds),
    modelAsked: reader.string(),
    modelServed: reader.string(),
    provider: reader.string(),
    deployment: reader.string(),
  };
}

/**
 * The receipt of a log entry. Only the one canonical encoding is accepted, so that an entry has one meaning and a
 * receipt one leaf hash.
 * @throws AutoPayError `invalid_encoding`.
 */
export function decodeReceipt(entry: Uint8Array): CallReceipt {
  let receipt: CallReceipt;
  let canonical: Buffer;
  try {
    receipt = decode(entry);
    canonical = encodeReceipt(receipt);
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', 'These bytes are not an ABI-encoded CallReceipt of version 1.', {
      cause,
    });
  }
  if (!canonical.equals(entry)) {
    throw new AutoPayError('invalid_encoding', 'The CallReceipt is not in its canonical encoding.');
  }
  return receipt;
}
