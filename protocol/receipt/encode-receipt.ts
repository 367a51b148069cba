import { AbiWriter, asOnlyArgument } from '../bytes/abi-writer.ts';
import { fromHex } from '../bytes/hex.ts';
import { parseCallId } from './call-id.ts';
import { evidenceTiers, usageKinds, type CallReceipt } from './call-receipt.ts';

/** `abi.encode(CallReceipt)`: the entry of the audit log, byte for byte (docs/PROTOCOL.md, "Receipt"). */
export function encodeReceipt(receipt: CallReceipt): Buffer {
  const { usage } = receipt;
  const tuple = new AbiWriter(29)
    .number(receipt.version)
    .fixedBytes(parseCallId(receipt.callId), 16)
    .number(receipt.admittedAtMs)
    .number(receipt.chargedAtMs)
    .address(receipt.payer)
    .fixedBytes(fromHex(receipt.channelId, 32), 32)
    .number(receipt.sequence)
    .uint128(receipt.runningTotal)
    .address(receipt.token)
    .uint128(receipt.amount)
    .uint128(receipt.refundOwed)
    .fixedBytes(fromHex(receipt.priceRoot, 32), 32)
    .uint256(receipt.oracleRound)
    .number(usage.prompt)
    .number(usage.cachedPrompt)
    .number(usage.cacheWrite)
    .number(usage.audioPrompt)
    .number(usage.completion)
    .number(usage.reasoning)
    .number(usage.audioCompletion)
    .fixedBytes(fromHex(receipt.requestCommitment, 32), 32)
    .fixedBytes(fromHex(receipt.responseCommitment, 32), 32)
    .fixedBytes(fromHex(receipt.attemptsDigest, 32), 32)
    .number(evidenceTiers.indexOf(receipt.evidenceTier))
    .number(usageKinds.indexOf(receipt.usageKind))
    .string(receipt.modelAsked)
    .string(receipt.modelServed)
    .string(receipt.provider)
    .string(receipt.deployment);
  return asOnlyArgument(tuple.finish());
}
