import { toHex } from '../../../protocol/bytes/hex.ts';
import { formatCallId } from '../../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../../protocol/receipt/decode-receipt.ts';
import { bytesOf, hexOf, numberOf, textOf, type Row } from '../rows.ts';
import { writeCsvRecord, type CsvCell } from './write-csv.ts';

/** A charge as queries tell of it. */
interface DescribedCall {
  object: 'call';
  callId: string;
  /** Position in the log. */
  index: number;
  chainId: number;
  /** RFC 3339. */
  chargedAt: string;
  /** Null on a free route. */
  payer: string | null;
  keyId: string | null;
  token: string;
  amount: bigint;
  model: string;
  provider: string;
  leafHash: string;
  /** The entry of the log, decoded. */
  receipt: CallReceipt;
}

/** A charge from its row; all but payer, key and chain from the entry itself, which is what the log holds. */
export function describeCall(row: Row): DescribedCall {
  const receipt = decodeReceipt(bytesOf(row, 'entry'));
  return {
    object: 'call',
    callId: formatCallId(bytesOf(row, 'call_id')),
    index: numberOf(row, 'log_index'),
    chainId: numberOf(row, 'chain_id'),
    chargedAt: new Date(receipt.chargedAtMs).toISOString(),
    payer: row['payer'] === null ? null : hexOf(row, 'payer'),
    keyId: row['key_id'] === null ? null : textOf(row, 'key_id'),
    token: receipt.token,
    amount: receipt.amount,
    model: receipt.modelAsked,
    provider: receipt.provider,
    leafHash: hexOf(row, 'leaf_hash'),
    receipt,
  };
}

/** An entry of the log from its row, for everybody. */
export function describeEntry(row: Row): object {
  const entry = bytesOf(row, 'entry');
  return {
    ...{ object: 'entry', index: numberOf(row, 'log_index'), callId: formatCallId(bytesOf(row, 'call_id')) },
    ...{ entry: toHex(entry), leafHash: hexOf(row, 'leaf_hash'), receipt: decodeReceipt(entry) },
  };
}

/** JSON whose amounts are decimal strings. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
}

/** The columns of an export, and what stands in each. */
const columns: readonly (readonly [name: string, cell: (call: DescribedCall) => CsvCell])[] = [
  ['index', ({ index }) => index],
  ['call_id', ({ callId }) => callId],
  ['chain_id', ({ chainId }) => chainId],
  ['admitted_at', ({ receipt }) => new Date(receipt.admittedAtMs).toISOString()],
  ['charged_at', ({ chargedAt }) => chargedAt],
  ['payer', ({ payer }) => payer],
  ['key_id', ({ keyId }) => keyId],
  ['channel_id', ({ receipt }) => (receipt.sequence === 0 ? null : receipt.channelId)],
  ['sequence', ({ receipt }) => receipt.sequence],
  ['running_total', ({ receipt }) => receipt.runningTotal],
  ['token', ({ token }) => token],
  ['amount', ({ amount }) => amount],
  ['refund_owed', ({ receipt }) => receipt.refundOwed],
  ['model', ({ model }) => model],
  ['model_served', ({ receipt }) => receipt.modelServed],
  ['provider', ({ provider }) => provider],
  ['deployment', ({ receipt }) => receipt.deployment],
  ['prompt_tokens', ({ receipt }) => receipt.usage.prompt],
  ['cached_prompt_tokens', ({ receipt }) => receipt.usage.cachedPrompt],
  ['cache_write_tokens', ({ receipt }) => receipt.usage.cacheWrite],
  ['audio_prompt_tokens', ({ receipt }) => receipt.usage.audioPrompt],
  ['completion_tokens', ({ receipt }) => receipt.usage.completion],
  ['reasoning_tokens', ({ receipt }) => receipt.usage.reasoning],
  ['audio_completion_tokens', ({ receipt }) => receipt.usage.audioCompletion],
  ['usage_kind', ({ receipt }) => receipt.usageKind],
  ['evidence_tier', ({ receipt }) => receipt.evidenceTier],
  ['price_root', ({ receipt }) => receipt.priceRoot],
  ['oracle_round', ({ receipt }) => receipt.oracleRound],
  ['request_commitment', ({ receipt }) => receipt.requestCommitment],
  ['response_commitment', ({ receipt }) => receipt.responseCommitment],
  ['attempts_digest', ({ receipt }) => receipt.attemptsDigest],
  ['leaf_hash', ({ leafHash }) => leafHash],
];

/** The first record of an export. */
export const csvHeader = writeCsvRecord(columns.map(([name]) => name));

/** A charge as a record of an export. */
export function writeCallCsv(call: DescribedCall): string {
  return writeCsvRecord(columns.map(([, cell]) => cell(call)));
}
