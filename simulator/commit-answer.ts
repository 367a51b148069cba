import { hash } from 'node:crypto';
import type { Answer } from './build-answer.ts';
import type { EvidenceFault } from './directives.ts';
import { createSeededRandom } from './seeded-random.ts';
import { type Frame, toEvent } from './write-frames.ts';

const sha256 = (...parts: Buffer[]) => hash('sha256', Buffer.concat(parts), 'hex');

/** What a Verathos gateway adds to an answer for `include_proof`: a commitment to the output's tokens, and the beacon after it. */
export function commitAnswer(answer: Answer, fault: EvidenceFault | null): object {
  const count = answer.usage.completion_tokens;
  const random = createSeededRandom(answer.id);
  const ids = Array.from({ length: count }, () => Number.parseInt(random.alphanumeric(4), 36));
  const le64 = (id: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(id));
    return bytes;
  };
  const output = sha256(...ids.map(le64));
  const hex = (value: string) => Buffer.from(value, 'hex');
  const [model, input, nonce] = ['model', 'input', 'nonce'].map((name) => hash('sha256', name + answer.id, 'hex'));
  const timestamp = answer.created + 0.5;
  const decode = Buffer.alloc(9 + 2 + 8);
  decode.writeUInt32LE(count);
  // No roots of hidden rows or logits; then the time.
  decode.writeDoubleLE(timestamp, 11);
  const commitmentHash = sha256(
    ...[
      Buffer.from(`VERILLM_COMMITMENT_V1${answer.id}${answer.model}`),
      hex(model ?? ''),
      hex(input ?? ''),
      hex(output),
    ],
    ...[Buffer.from('DECODE_V1'), decode],
  );
  const beacon = sha256(Buffer.from('VERILLM_BEACON_V2'), hex(commitmentHash), hex(nonce ?? ''));
  return {
    proof_verified: true,
    commitment: {
      ...{ session_id: answer.id, model_id: answer.model, model_commitment: model, input_commitment: input },
      ...{ output_commitment: output, layer_commitments: [], output_token_count: count, timestamp },
    },
    proof_bundle: {
      validator_nonce: nonce,
      beacon: fault === 'flip' ? beacon.replace(/.$/, (last) => (last === '0' ? '1' : '0')) : beacon,
      output_token_ids: ids,
      layer_proofs: [],
    },
  };
}

/** Adds members to a JSON body, or to the last event of a stream before `[DONE]`. */
export function addMembers(frames: readonly Frame[], members: object, { stream }: { stream: boolean }): Frame[] {
  const at = stream ? frames.length - 2 : 0;
  return frames.map((frame, index) => {
    if (index !== at) return frame;
    const text = frame.bytes.toString('utf8');
    const value = { ...(JSON.parse(stream ? text.slice('data: '.length) : text) as object), ...members };
    const bytes = stream ? toEvent(JSON.stringify(value)) : Buffer.from(JSON.stringify(value, null, 2));
    return { ...frame, bytes };
  });
}
