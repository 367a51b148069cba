import { decodeAbiParameters } from 'viem';
import { fromHex, toHex } from '../bytes/hex.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { formatCallId } from './call-id.ts';
import { callReceiptAbi, evidenceTiers, usageKinds, type CallReceipt } from './call-receipt.ts';
import { encodeReceipt } from './encode-receipt.ts';

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('a count or time is beyond 2^53');
  return Number(value);
}

function decode(entry: Uint8Array): CallReceipt {
  const [raw] = decodeAbiParameters(callReceiptAbi, toHex(entry));
  const evidenceTier = evidenceTiers[raw.evidenceTier];
  const usageKind = usageKinds[raw.usageKind];
  if (raw.version !== 1 || evidenceTier === undefined || usageKind === undefined) {
    throw new RangeError('unknown version, evidence tier or usage kind');
  }
  const { usage } = raw;
  return {
    ...raw,
    version: 1,
    callId: formatCallId(fromHex(raw.callId, 16)),
    payer: raw.payer.toLowerCase() as `0x${string}`,
    token: raw.token.toLowerCase() as `0x${string}`,
    admittedAtMs: safeNumber(raw.admittedAtMs),
    chargedAtMs: safeNumber(raw.chargedAtMs),
    sequence: safeNumber(raw.sequence),
    usage: {
      prompt: safeNumber(usage.prompt),
      cachedPrompt: safeNumber(usage.cachedPrompt),
      cacheWrite: safeNumber(usage.cacheWrite),
      audioPrompt: safeNumber(usage.audioPrompt),
      completion: safeNumber(usage.completion),
      reasoning: safeNumber(usage.reasoning),
      audioCompletion: safeNumber(usage.audioCompletion),
    },
    evidenceTier,
    usageKind,
  };
}

/**
 * The receipt of a log entry. Only the one canonical encoding is accepted, so that an entry has one meaning and a
 * receipt one leaf hash.
 * @throws AutoPayError `invalid_encoding`.
 */
export function decodeReceipt(entry: Uint8Array): CallReceipt {
  let receipt: CallReceipt;
  try {
    receipt = decode(entry);
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', 'These bytes are not an ABI-encoded CallReceipt of version 1.', {
      cause,
    });
  }
  if (!encodeReceipt(receipt).equals(entry)) {
    throw new AutoPayError('invalid_encoding', 'The CallReceipt is not in its canonical encoding.');
  }
  return receipt;
}
