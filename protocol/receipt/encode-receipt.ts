import { AbiWriter, asOnlyArgument, paddedBytes } from '../bytes/abi-writer.ts';
import { parseCallId } from './call-id.ts';
import { evidenceTiers, usageKinds, type CallReceipt } from './call-receipt.ts';

/** `abi.encode(CallReceipt)`: the entry of the audit log, byte for byte (docs/PROTOCOL.md, "Receipt"). */
export function encodeReceipt(receipt: CallReceipt): Buffer {
  const { usage } = receipt;
  const names = [receipt.modelAsked, receipt.modelServed, receipt.provider, receipt.deployment];
  const tailBytes = names.reduce((sum, name) => sum + paddedBytes(Buffer.byteLength(name)), 0);
  const tuple = new AbiWriter(29, tailBytes)
    .number(receipt.version)
    .fixedBytes(parseCallId(receipt.callId), 16)
    .number(receipt.admittedAtMs)
    .number(receipt.chargedAtMs)
    .address(receipt.payer)
    .bytes32(receipt.channelId)
    .number(receipt.sequence)
    .uint128(receipt.runningTotal)
    .address(receipt.token)
    .uint128(receipt.amount)
    .uint128(receipt.refundOwed)
    .bytes32(receipt.priceRoot)
    .uint256(receipt.oracleRound)
    .number(usage.prompt)
    .number(usage.cachedPrompt)
    .number(usage.cacheWrite)
    .number(usage.audioPrompt)
    .number(usage.completion)
    .number(usage.reasoning)
    .number(usage.audioCompletion)
    .bytes32(receipt.requestCommitment)
    .bytes32(receipt.responseCommitment)
    .bytes32(receipt.attemptsDigest)
    .number(evidenceTiers.indexOf(receipt.evidenceTier))
    .number(usageKinds.indexOf(receipt.usageKind))
    .string(receipt.modelAsked)
    .string(receipt.modelServed)
    .string(receipt.provider)
    .string(receipt.deployment);
  return asOnlyArgument(tuple.finish());
}
