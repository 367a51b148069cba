import { z } from 'zod';
import { isHex, type Hex } from '../bytes/hex.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { evidenceTiers } from '../receipt/call-receipt.ts';
import { isCallId } from '../receipt/call-id.ts';

/** The longest document as text, bytes. */
export const maxEvidenceBytes = 524_288;

/** The most tokens whose ids a document holds. */
const maxTokenIds = 65_536;

const hex = (lengthBytes?: number) => z.custom<Hex>((value) => isHex(value, lengthBytes), 'must be 0x-hex');
const lowerHex = (lengthBytes: number) => hex(lengthBytes).transform((value) => value.toLowerCase() as Hex);
const text = (most: number) => z.string().max(most);
const base64 = (mostBytes: number) => z.base64().max(Math.ceil(mostBytes / 3) * 4);
const timeMs = z.int().min(0);

/** What was exchanged with the provider: SHA-256 over the exact bytes, which the document does not hold. */
const exchangeSchema = z.strictObject({
  /** Of the body that went to the provider. */
  requestDigest: lowerHex(32),
  /** Whether that was the client's body, byte for byte. */
  isClientsRequest: z.boolean(),
  /** Of all bytes of the answer's body, of a stream to its very end. */
  responseDigest: lowerHex(32),
  /** Whether the answer was an event stream: the client gets its events, but not always all of its bytes. */
  stream: z.boolean(),
});

const signatureSchema = z.strictObject({
  /** `ecdsa`: EIP-191 over the text, by an address. `ed25519`: RFC 8032 over its bytes. */
  algorithm: z.enum(['ecdsa', 'ed25519']),
  /** Whose signature the provider says it is: an address, or a public key. */
  signer: hex().transform((value) => value.toLowerCase() as Hex),
  /** The signed bytes. */
  text: base64(4_096),
  signature: hex(),
  /** What the provider says of the signer, such as NEAR AI's `provider_tee` or `gateway`; null if nothing. */
  kind: text(64).nullable(),
});

/** Intel's collateral, as PCCS and dcap-qvl have it; bytes are hexadecimal, without 0x. */
export const collateralSchema = z.strictObject({
  pck_crl_issuer_chain: text(16_384),
  root_ca_crl: z.string().regex(/^(?:[0-9a-f]{2}){1,32768}$/i),
  pck_crl: z.string().regex(/^(?:[0-9a-f]{2}){1,32768}$/i),
  tcb_info_issuer_chain: text(16_384),
  tcb_info: text(65_536),
  tcb_info_signature: z.string().regex(/^[0-9a-f]{128}$/i),
  qe_identity_issuer_chain: text(16_384),
  qe_identity: text(32_768),
  qe_identity_signature: z.string().regex(/^[0-9a-f]{128}$/i),
  /** Of quotes that do not hold it themselves. */
  pck_certificate_chain: text(16_384).nullish(),
});

/** A quote that binds a signer to a machine, and what it takes to check it. */
export const attestationSchema = z.strictObject({
  /** The raw quote. */
  quote: base64(32_768),
  collateral: collateralSchema,
  /** What the relay asked to be in it, 32 bytes. */
  nonce: lowerHex(32),
  /** SHA-256 of the TLS certificate that the quote binds too; null if it binds the signer alone. */
  tlsFingerprint: lowerHex(32).nullable(),
  /** When the relay checked it: quote and collateral are judged as of then. Unix milliseconds. */
  verifiedAtMs: timeMs,
  /** Whether the report had a GPU's attestation, which is not checked. */
  hasNvidiaPayload: z.boolean(),
});

const commitmentBytes = z.string().regex(/^(?:[0-9a-f]{2}){0,64}$/i);
const commitmentHashes = z.array(commitmentBytes).max(512);

/** Verathos' `InferenceCommitment`: bytes are hexadecimal, without 0x. */
export const verathosCommitmentSchema = z.strictObject({
  session_id: text(256),
  model_id: text(256),
  model_commitment: commitmentBytes,
  input_commitment: commitmentBytes,
  output_commitment: commitmentBytes,
  layer_commitments: commitmentHashes,
  router_commitment_hash: commitmentBytes.nullable().default(null),
  decode_hidden_row_root: commitmentBytes.default(''),
  decode_logits_row_root: commitmentBytes.default(''),
  sampling_verification_bps: z.int().min(0).max(65_535).default(0),
  output_token_count: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
  do_sample: z.boolean().default(false),
  temperature_milli: z.int().min(0).max(65_535).default(0),
  presence_penalty_milli: z.int().min(0).max(65_535).default(0),
  embedding_output_root: commitmentBytes.default(''),
  layer_transition_hashes: commitmentHashes.default([]),
  prompt_hash: commitmentBytes.default(''),
  sampler_config_hash: commitmentBytes.default(''),
  sampling_seed_commitment: commitmentBytes.default(''),
  /** Unix seconds. */
  timestamp: z.number(),
});

const verathosSchema = z.strictObject({
  commitment: verathosCommitmentSchema,
  outputTokenIds: z.array(z.int().min(0)).max(maxTokenIds),
  /** 32 bytes, hexadecimal without 0x, as all of Verathos' bytes are. */
  beacon: z.string().regex(/^[0-9a-f]{64}$/i),
  nonce: z.string().regex(/^(?:[0-9a-f]{2}){1,64}$/i),
});

const checkSchema = z.strictObject({
  name: text(64),
  result: z.enum(['holds', 'fails', 'unchecked']),
  detail: text(1_024),
});

/** What supports the answer of one call, beside the relay's receipt (docs/PROTOCOL.md, "Evidence"). */
export const evidenceDocumentSchema = z.strictObject({
  version: z.literal(1),
  callId: z.string().refine(isCallId, 'must be a call id'),
  kind: z.enum(['signature', 'tee', 'verathos']),
  collectedAtMs: timeMs,
  exchange: exchangeSchema,
  /** Why nothing, or not all, could be collected; null if all was. */
  fault: text(512).nullable(),
  signature: signatureSchema.nullable(),
  attestation: attestationSchema.nullable(),
  verathos: verathosSchema.nullable(),
  /** What the relay found with the keys and measurements of its configuration: its word, to be checked again. */
  judged: z.strictObject({ tier: z.enum(evidenceTiers), checks: z.array(checkSchema).max(32) }),
});

/** The parsed document. */
export type EvidenceDocument = z.output<typeof evidenceDocumentSchema>;
/** What the provider told, not yet judged. */
export type EvidenceFacts = Omit<EvidenceDocument, 'judged'>;
/** Its quote. */
export type Attestation = z.output<typeof attestationSchema>;
/** Its collateral. */
export type Collateral = z.output<typeof collateralSchema>;
/** What one check found. `unchecked` says what was not looked at, so that nobody takes it for shown. */
export type EvidenceCheck = z.output<typeof checkSchema>;

/**
 * Reads a document from JSON text.
 * @throws AutoPayError `invalid_encoding`
 */
export function parseEvidence(json: string): EvidenceDocument {
  if (json.length <= maxEvidenceBytes) {
    try {
      const parsed = evidenceDocumentSchema.safeParse(JSON.parse(json));
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw refuse(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
    } catch (cause) {
      if (cause instanceof AutoPayError) throw cause;
      throw refuse('it is not JSON', cause);
    }
  }
  throw refuse(`it is longer than ${maxEvidenceBytes} bytes`);
}

function refuse(reason: string, cause?: unknown): AutoPayError {
  const message = `This is no evidence document of version 1 (${reason.slice(0, 200)}).`;
  return new AutoPayError('invalid_encoding', message, { cause });
}
