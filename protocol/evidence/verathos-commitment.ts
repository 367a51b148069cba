import type { EvidenceDocument } from './evidence-document.ts';
import { sha256 } from './provider-signature.ts';

type Verathos = NonNullable<EvidenceDocument['verathos']>;
type Commitment = Verathos['commitment'];

/** `SHA-256(int64_le(output_token_ids))`, Verathos' inference protocol. */
export function outputCommitmentOf(outputTokenIds: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * outputTokenIds.length);
  outputTokenIds.forEach((id, index) => bytes.writeBigInt64LE(BigInt(id), 8 * index));
  return sha256(bytes);
}

/**
 * `C = SHA-256(commitment bytes)`: the prefix VERILLM_COMMITMENT_V1, the fields in their order, and after them what later versions
 * added, each under a name of its own and only where it is there.
 */
export function commitmentHashOf(commitment: Commitment): Buffer {
  return sha256(...serializeCommitment(commitment));
}

/** `SHA-256("VERILLM_BEACON_V2" ‖ C ‖ nonce)`: what the challenges to the provider are drawn from. */
export function beaconOf({ commitment, nonce }: Pick<Verathos, 'commitment' | 'nonce'>): Buffer {
  return sha256(Buffer.from('VERILLM_BEACON_V2'), commitmentHashOf(commitment), Buffer.from(nonce, 'hex'));
}

function serializeCommitment(commitment: Commitment): Buffer[] {
  const { layer_transition_hashes: transitions, presence_penalty_milli: penalty } = commitment;
  const hex = (value: string) => Buffer.from(value, 'hex');
  const named = (name: string, value: string) => (value === '' ? [] : [Buffer.from(name), hex(value)]);
  const optional = (root: string) => (root === '' ? [Buffer.from([0])] : [Buffer.from([1]), hex(root)]);
  return [
    ...[Buffer.from('VERILLM_COMMITMENT_V1'), Buffer.from(commitment.session_id), Buffer.from(commitment.model_id)],
    ...[hex(commitment.model_commitment), hex(commitment.input_commitment), hex(commitment.output_commitment)],
    ...commitment.layer_commitments.map(hex),
    ...(commitment.router_commitment_hash === null
      ? []
      : [Buffer.from('ROUTER_V1'), hex(commitment.router_commitment_hash)]),
    ...[Buffer.from('DECODE_V1'), decodeFields(commitment)],
    ...optional(commitment.decode_hidden_row_root),
    ...optional(commitment.decode_logits_row_root),
    float64(commitment.timestamp),
    ...(penalty === 0 ? [] : [Buffer.from('SAMPLING_V2'), uint(penalty, 2)]),
    ...named('EMBEDDING_OUTPUT_V1', commitment.embedding_output_root),
    ...(transitions.length === 0
      ? []
      : [Buffer.from('TRANSITION_V1'), uint(transitions.length, 4), ...transitions.map(hex)]),
    ...named('PROMPT_HASH_V1', commitment.prompt_hash),
    ...named('SAMPLER_CONFIG_V1', commitment.sampler_config_hash),
    ...named('SAMPLING_SEED_V1', commitment.sampling_seed_commitment),
  ];
}

/** Little-endian: uint32 tokens, uint16 basis points, uint16 temperature, one byte for whether it was sampled. */
function decodeFields(commitment: Commitment): Buffer {
  return Buffer.concat([
    uint(commitment.output_token_count, 4),
    uint(commitment.sampling_verification_bps, 2),
    uint(commitment.temperature_milli, 2),
    Buffer.from([commitment.do_sample ? 1 : 0]),
  ]);
}

function uint(value: number, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  bytes.writeUIntLE(value, 0, lengthBytes);
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
