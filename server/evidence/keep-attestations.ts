import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { attestationSchema, collateralSchema, type Attestation } from '../../protocol/evidence/evidence-document.ts';
import { sha256Hex } from '../../protocol/evidence/provider-signature.ts';
import type { VerifiedQuote } from '../../protocol/evidence/verify-quote.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import type { EvidenceLedger } from '../ledger/evidence-ledger.ts';
import type { CheckQuote, QuoteAsk } from './check-quote.ts';
import { fetchJson } from './fetch-json.ts';

/** A quote that was found genuine, and stored. */
export interface KeptAttestation {
  attestation: Attestation;
  quote: VerifiedQuote;
  /** SHA-256 of its JSON. */
  digest: Hex;
}

/** Whose machine is asked, and how. */
export interface AttestationAsk {
  url: string;
  apiKey?: string | undefined;
  /** The model's name at the provider. */
  model: string;
  algorithm: 'ecdsa' | 'ed25519';
  /** The key that the quote has to be about, as the provider writes it. */
  signer: Hex;
  timeoutMs: number;
  pccsUrl?: string | undefined;
  rootCaDer?: Uint8Array | undefined;
}

/** What attestations are kept with. */
export interface AttestationOptions {
  ledger: Pick<EvidenceLedger, 'putAttestation'>;
  checkQuote: CheckQuote;
  /** How long a genuine quote is good. */
  keepMs: number;
  nowMs: () => number;
}

/** Another look at what failed is not worth it before. */
const failedMs = 10_000;
/** Signers that are known at once; the one that was asked for first goes first. */
const maxSigners = 256;
const maxReportBytes = 2_097_152;

const reportSchema = z.object({
  intel_quote: z.string().min(1).max(65_536),
  signing_address: z.string().max(256).optional(),
  tls_cert_fingerprint: z
    .string()
    .regex(/^(?:0x)?[0-9a-f]{64}$/i)
    .nullish(),
});

/**
 * Asks machines for their quotes, and keeps those that are genuine: one question at a time for each signer, and none again while the
 * quote is good, so that most calls wait for nothing.
 */
export class AttestationKeeper {
  readonly #options: AttestationOptions;
  readonly #known = new Map<string, { found: Promise<KeptAttestation>; untilMs: number }>();

  constructor(options: AttestationOptions) {
    this.#options = options;
  }

  /** @throws AutoPayError `verification_failed` if the quote is not genuine; Error if none could be had */
  find(ask: AttestationAsk): Promise<KeptAttestation> {
    const { keepMs, nowMs } = this.#options;
    const key = JSON.stringify([ask.url, ask.model, ask.signer]);
    const known = this.#known.get(key);
    if (known && nowMs() < known.untilMs) return known.found;
    this.#known.delete(key);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < maxSigners) break;
      this.#known.delete(oldest);
    }
    const entry = { found: this.#ask(ask), untilMs: nowMs() + keepMs };
    this.#known.set(key, entry);
    entry.found.catch(() => (entry.untilMs = nowMs() + failedMs));
    return entry.found;
  }

  async #ask(ask: AttestationAsk): Promise<KeptAttestation> {
    const { algorithm, apiKey, model, rootCaDer, signer, timeoutMs, url } = ask;
    const { checkQuote, ledger, nowMs } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    const nonce = randomBytes(32);
    const asked = new URLSearchParams({
      model,
      nonce: nonce.toString('hex'),
      signing_algo: algorithm,
      signing_address: signer,
    });
    const value = await fetchJson({
      url: `${url}/attestation/report?${asked.toString()}`,
      apiKey,
      signal,
      maxBytes: maxReportBytes,
    });
    const entry = findReport(value, signer);
    const report = reportSchema.parse(entry);
    const quoteBytes = decodeQuote(report.intel_quote);
    const fingerprint = report.tls_cert_fingerprint;
    const verifiedAtMs = nowMs();
    const checked = await checkQuote({
      ...{ quote: quoteBytes, collateral: whereCollateralIs(ask, entry) },
      ...{ verifiedAtMs, rootCaDer, timeoutMs },
    });
    const attestation = attestationSchema.parse({
      quote: quoteBytes.toString('base64'),
      collateral: checked.collateral,
      nonce: toHex(nonce),
      tlsFingerprint: fingerprint ? `0x${fingerprint.replace(/^0x/i, '')}` : null,
      verifiedAtMs,
      hasNvidiaPayload: entry['nvidia_payload'] != null,
    });
    const { quote } = checked;
    const body = JSON.stringify(attestation);
    const digest = sha256Hex(Buffer.from(body));
    await ledger.putAttestation({ digest, body });
    return { attestation, quote, digest };
  }
}

/** The report itself, or, where many machines answer for one model, the one of this signer. */
function findReport(value: unknown, signer: Hex): JsonObject {
  const many = isObject(value) ? value['model_attestations'] : undefined;
  const reports: unknown[] = Array.isArray(many) ? many : [value];
  const found = reports
    .filter(isObject)
    .find((one) => many === undefined || sameSigner(one['signing_address'], signer));
  if (!found) throw new Error('the report is about no machine with this key');
  return found;
}

function sameSigner(named: unknown, signer: Hex): boolean {
  return typeof named === 'string' && named.toLowerCase().replace(/^0x/, '') === signer.slice(2);
}

/** Hexadecimal at Phala and NEAR AI; base64 elsewhere. */
function decodeQuote(text: string): Buffer {
  const hex = text.replace(/^0x/i, '');
  return /^(?:[0-9a-f]{2})+$/i.test(hex) ? Buffer.from(hex, 'hex') : Buffer.from(text, 'base64');
}

/** PCCS has it, or the report brings it: it is signed by Intel, whoever hands it over. */
function whereCollateralIs({ pccsUrl }: AttestationAsk, entry: JsonObject): QuoteAsk['collateral'] {
  if (pccsUrl !== undefined) return { pccsUrl };
  const brought = entry['quote_collateral'];
  if (brought == null) throw new Error('the report brings no quote_collateral, and no pccsUrl is configured');
  return collateralSchema.parse(typeof brought === 'string' ? JSON.parse(brought) : brought);
}
