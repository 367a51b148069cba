import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { EvidenceDocument } from '../../protocol/evidence/evidence-document.ts';
import { BadStatus, fetchJson } from './fetch-json.ts';

/** What is asked for the signature of an answer. */
export interface SignatureAsk {
  url: string;
  apiKey?: string | undefined;
  /** Of the answer. */
  id: string;
  /** The model's name at the provider. */
  model: string;
  algorithm: 'ecdsa' | 'ed25519';
  signal: AbortSignal;
}

const maxBytes = 65_536;
/** A provider may sign only after its last byte has left. */
const pauseMs = 150;

const prefixed = z
  .string()
  .max(1_024)
  .transform((value) => `0x${value.replace(/^0x/i, '').toLowerCase()}`)
  .refine((value): value is Hex => isHex(value), 'must be hexadecimal');

const answerSchema = z.object({
  text: z.string().min(1).max(4_096),
  signature: prefixed,
  signing_address: prefixed,
  signing_algo: z.enum(['ecdsa', 'ed25519']).optional(),
  signature_kind: z.string().max(64).nullish(),
});

/**
 * Asks a provider for its signature of an answer: `GET /signature/{id}`, as Phala's and NEAR AI's servers have it. What is not there
 * yet is asked for again, until the time is over.
 * @throws Error that says why there is none
 */
export async function collectSignature(ask: SignatureAsk): Promise<NonNullable<EvidenceDocument['signature']>> {
  const { algorithm, apiKey, id, model, signal } = ask;
  const query = new URLSearchParams({ model, signing_algo: algorithm });
  const url = `${ask.url}/signature/${encodeURIComponent(id)}?${query.toString()}`;
  for (;;) {
    try {
      const answer = answerSchema.parse(await fetchJson({ url, apiKey, signal, maxBytes }));
      return {
        algorithm: answer.signing_algo ?? algorithm,
        signer: answer.signing_address,
        text: Buffer.from(answer.text).toString('base64'),
        signature: answer.signature,
        kind: answer.signature_kind ?? null,
      };
    } catch (error) {
      if (!(error instanceof BadStatus) || error.status !== 404) throw error;
      await sleep(pauseMs, undefined, { signal });
    }
  }
}
