import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { verathosCommitmentSchema } from './evidence-document.ts';
import { beaconOf, commitmentHashOf, outputCommitmentOf } from './verathos-commitment.ts';

const sha256 = (hex: string) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex');
const ascii = (text: string) => Buffer.from(text).toString('hex');

test('token ids are 64-bit little-endian', () => {
  const expected = sha256('0100000000000000' + 'ff00000000000000' + '0000000001000000');
  expect(outputCommitmentOf([1, 255, 2 ** 32]).toString('hex')).toBe(expected);
});

const least = {
  session_id: 's',
  model_id: 'm',
  model_commitment: 'aa',
  input_commitment: 'bb',
  output_commitment: 'cc',
};

test('the least commitment, field by field', () => {
  const commitment = verathosCommitmentSchema.parse({
    ...{ ...least, layer_commitments: ['dd', 'ee'], output_token_count: 3, temperature_milli: 700, timestamp: 1.5 },
  });
  const bytes =
    ascii('VERILLM_COMMITMENT_V1sm') + 'aabbccddee' + ascii('DECODE_V1') + '03000000' + '0000' + 'bc02' + '00';
  expect(commitmentHashOf(commitment).toString('hex')).toBe(sha256(`${bytes}0000000000000000f83f`));
});

test('every later part stands under its name, and the beacon is over hash and nonce', () => {
  const commitment = verathosCommitmentSchema.parse({
    ...{ ...least, layer_commitments: [], router_commitment_hash: '01', output_token_count: 0, do_sample: true },
    ...{ decode_hidden_row_root: '02', decode_logits_row_root: '03', presence_penalty_milli: 1_500, timestamp: 0 },
    ...{ embedding_output_root: '04', layer_transition_hashes: ['05', '06'], prompt_hash: '07' },
    ...{ sampler_config_hash: '08', sampling_seed_commitment: '09' },
  });
  const parts = [
    ascii('VERILLM_COMMITMENT_V1sm') + 'aabbcc' + ascii('ROUTER_V1') + '01',
    ascii('DECODE_V1') + '00000000' + '0000' + '0000' + '01' + '0102' + '0103' + '0000000000000000',
    ascii('SAMPLING_V2') + 'dc05' + ascii('EMBEDDING_OUTPUT_V1') + '04' + ascii('TRANSITION_V1') + '02000000' + '0506',
    ascii('PROMPT_HASH_V1') + '07' + ascii('SAMPLER_CONFIG_V1') + '08' + ascii('SAMPLING_SEED_V1') + '09',
  ];
  const hash = commitmentHashOf(commitment).toString('hex');
  expect(hash).toBe(sha256(parts.join('')));
  const beacon = sha256(`${ascii('VERILLM_BEACON_V2')}${hash}0a0b`);
  expect(beaconOf({ commitment, nonce: '0a0b' }).toString('hex')).toBe(beacon);
});
