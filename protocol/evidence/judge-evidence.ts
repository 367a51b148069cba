import type { CallReceipt, EvidenceTier } from '../receipt/call-receipt.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import type { Attestation, EvidenceCheck, EvidenceFacts } from './evidence-document.ts';
import { findSigner, keyBytes, namesExchange, sha256, sha256Hex, type ProviderKey } from './provider-signature.ts';
import { beaconOf, outputCommitmentOf } from './verathos-commitment.ts';
import { verifyQuote, type Measurements, type VerifiedQuote } from './verify-quote.ts';

/** What whoever judges trusts by itself: a key or a measurement that the answer brings proves nothing. */
export interface EvidenceTerms {
  /** Keys whose signature is the provider's. */
  keys: readonly ProviderKey[];
  /** What runs in the machine: one of them has to agree with the quote in every measurement that it names. */
  measurements: readonly Measurements[];
  /** States of the platform that are good enough; `UpToDate` only by default. */
  tcbStatuses?: readonly string[] | undefined;
  /** DER; Intel's by default. */
  rootCaDer?: Uint8Array | undefined;
  /** In the place of `verifyQuote`, for whoever keeps what it found. */
  verifyQuote?: ((attestation: Attestation) => Promise<VerifiedQuote>) | undefined;
}

/** What is known of the call. */
export interface EvidenceContext {
  /** Its receipt, if it has one yet. */
  receipt?: Pick<CallReceipt, 'callId' | 'chargedAtMs' | 'evidenceTier' | 'usage'> | undefined;
  /** Completion tokens that are billed, where there is no receipt yet; null if they are not known. */
  completionTokens?: number | null | undefined;
  /** The exact bytes of the client's request and of its answer. */
  requestBytes?: Uint8Array | undefined;
  responseBytes?: Uint8Array | undefined;
}

/** What evidence shows, and how. */
export interface EvidenceVerdict {
  tier: EvidenceTier;
  checks: EvidenceCheck[];
}

/** A quote is good for the calls of a day. */
export const attestationMaxAgeMs = 86_400_000;

/** Clocks of one machine, read twice. */
const clockSlackMs = 60_000;

/**
 * Says what the evidence of a call shows: never more than was checked here, by keys and measurements that the caller brings. The same
 * function judges at the relay, before it writes the tier into the receipt, and at whoever checks that afterwards.
 */
export async function judgeEvidence(
  facts: EvidenceFacts,
  terms: EvidenceTerms,
  context: EvidenceContext = {},
): Promise<EvidenceVerdict> {
  const findings = new Findings();
  if (facts.fault !== null) findings.fails('evidence', `could not be had: ${facts.fault}`);
  const isOfCall = checkCall(findings, facts, context);
  const shown = await findTier(findings, { facts, terms, context });
  const tier = isOfCall ? shown : 'relay-signed';
  const claimed = context.receipt?.evidenceTier;
  if (claimed !== undefined) {
    const detail = `the receipt says ${claimed}; the evidence shows ${tier}`;
    findings.add('receipt', claimed === tier || claimed === 'relay-signed', detail);
  }
  return { tier, checks: findings.checks };
}

class Findings {
  readonly checks: EvidenceCheck[] = [];

  add(name: string, ok: boolean, detail: string): boolean {
    this.checks.push({ name, result: ok ? 'holds' : 'fails', detail: detail.slice(0, 1_024) });
    return ok;
  }

  fails(name: string, detail: string): false {
    this.add(name, false, detail);
    return false;
  }

  /** What nobody looked at: said, so that nobody takes it for shown. */
  unchecked(name: string, detail: string): void {
    this.checks.push({ name, result: 'unchecked', detail });
  }
}

interface Case {
  facts: EvidenceFacts;
  terms: EvidenceTerms;
  context: EvidenceContext;
}

/** Whether it is this call's, as far as the bytes are at hand. */
function checkCall(findings: Findings, { callId, exchange }: EvidenceFacts, context: EvidenceContext): boolean {
  const { receipt, requestBytes, responseBytes } = context;
  let ok =
    receipt === undefined || findings.add('call', receipt.callId === callId, `the evidence is of call ${callId}`);
  if (requestBytes) {
    if (exchange.isClientsRequest) {
      const same = sha256Hex(requestBytes) === exchange.requestDigest;
      ok = findings.add('request', same, 'SHA-256 of the request, as it went to the provider') && ok;
    } else {
      findings.unchecked(
        'request',
        'the relay changed it on its way (model’s name, output limit): what went out is not kept',
      );
    }
  }
  if (responseBytes) {
    if (exchange.stream)
      findings.unchecked('response', 'a stream reaches the client without what only the relay reads');
    else {
      const same = sha256Hex(responseBytes) === exchange.responseDigest;
      ok = findings.add('response', same, 'SHA-256 of the answer') && ok;
    }
  }
  return ok;
}

async function findTier(findings: Findings, found: Case): Promise<EvidenceTier> {
  const { facts, terms } = found;
  if (facts.kind === 'verathos') return checkCommitments(findings, found) ? 'commitment-checked' : 'relay-signed';
  const signer = checkSignature(findings, facts);
  if (signer === null) return 'relay-signed';
  const isPinned = terms.keys.some((key) => key.toLowerCase() === signer);
  if (facts.kind === 'tee') {
    if (await checkAttestation(findings, { ...found, signer })) return 'tee-attested';
    // Then it is as good as a signature without hardware.
    if (terms.keys.length === 0) return 'relay-signed';
  }
  const detail = isPinned ? `${signer} is one of the trusted keys` : `${signer} is none of the trusted keys`;
  return findings.add('signer', isPinned, detail) ? 'provider-signed' : 'relay-signed';
}

/** Who signed that it was these bytes; null if nobody did. */
function checkSignature(findings: Findings, { exchange, signature }: EvidenceFacts): ProviderKey | null {
  if (signature === null) return null;
  const signer = findSigner(signature);
  const scheme = signature.algorithm === 'ecdsa' ? 'EIP-191' : 'Ed25519';
  findings.add('signature', signer !== null, `${scheme}, by ${signature.signer}`);
  const isThese = namesExchange(Buffer.from(signature.text, 'base64'), exchange);
  const detail = `${isThese ? 'names' : 'does not name'} SHA-256 of the exact request and answer`;
  return findings.add('signed text', isThese, detail) ? signer : null;
}

async function checkAttestation(findings: Findings, found: Case & { signer: ProviderKey }): Promise<boolean> {
  const { context, facts, signer, terms } = found;
  const { attestation, signature } = facts;
  if (attestation === null) return findings.fails('quote', 'there is none');
  if (signature?.kind === 'gateway') {
    return findings.fails('signer', 'a gateway signed, not the machine that answered');
  }
  let quote: VerifiedQuote;
  try {
    quote = await (terms.verifyQuote ?? ((one) => verifyQuote(one, terms)))(attestation);
  } catch (error) {
    return findings.fails('quote', error instanceof AutoPayError ? error.message : 'it could not be checked');
  }
  const checkedAt = new Date(attestation.verifiedAtMs).toISOString();
  findings.add('quote', true, `a genuine ${quote.kind.toUpperCase()} quote as of ${checkedAt}, not in debug mode`);
  const statuses = terms.tcbStatuses ?? ['UpToDate'];
  const advisories = quote.advisoryIds.length === 0 ? '' : ` (${quote.advisoryIds.join(', ')})`;
  const results = [
    findings.add('platform', statuses.includes(quote.tcbStatus), `its TCB is ${quote.tcbStatus}${advisories}`),
    ...checkBinding(findings, { attestation, quote, signer }),
    findings.add('measurements', isPinnedCode(quote, terms), describeMeasurements(quote)),
    checkAge(findings, attestation, context),
  ];
  if (attestation.hasNvidiaPayload) findings.unchecked('gpu', 'the report’s nvidia_payload is not looked at');
  return results.every(Boolean);
}

/** Report data: the signer (with the TLS certificate's fingerprint, SHA-256 of both), then the nonce. */
function checkBinding(
  findings: Findings,
  { attestation, quote, signer }: { attestation: Attestation; quote: VerifiedQuote; signer: ProviderKey },
): boolean[] {
  const { nonce, tlsFingerprint } = attestation;
  const key = keyBytes(signer);
  const bound =
    tlsFingerprint === null
      ? Buffer.concat([key, Buffer.alloc(32 - key.length)])
      : sha256(key, Buffer.from(tlsFingerprint.slice(2), 'hex'));
  const { reportData } = quote;
  return [
    findings.add('bound key', reportData.subarray(0, 32).equals(bound), `the quote is about ${signer}`),
    findings.add(
      'nonce',
      reportData.subarray(32).toString('hex') === nonce.slice(2),
      'the quote was made when it was asked for',
    ),
  ];
}

function isPinnedCode({ measurements }: VerifiedQuote, terms: EvidenceTerms): boolean {
  return terms.measurements.some((pinned) => {
    const entries = Object.entries(pinned) as [keyof Measurements, string][];
    return entries.length > 0 && entries.every(([name, value]) => measurements[name] === value.toLowerCase());
  });
}

function describeMeasurements({ measurements }: VerifiedQuote): string {
  const named = Object.entries(measurements).map(([name, value]) => `${name} ${value}`);
  return `trusted ones agree with the quote in all that they name; it has ${named.join(', ')}`;
}

/** An old quote says nothing of who holds the key now. */
function checkAge(findings: Findings, { verifiedAtMs }: Attestation, { receipt }: EvidenceContext): boolean {
  if (receipt === undefined) return true;
  const ageMs = receipt.chargedAtMs - verifiedAtMs;
  return findings.add(
    'age',
    ageMs >= -clockSlackMs && ageMs <= attestationMaxAgeMs,
    'the quote is of the day before the charge',
  );
}

function checkCommitments(findings: Findings, { context, facts }: Case): boolean {
  const { verathos } = facts;
  if (verathos === null) return false;
  const { beacon, commitment, outputTokenIds } = verathos;
  const billed = context.receipt?.usage.completion ?? context.completionTokens ?? null;
  const count = outputTokenIds.length;
  const results = [
    findings.add(
      'output commitment',
      outputCommitmentOf(outputTokenIds).toString('hex') === commitment.output_commitment.toLowerCase(),
      `SHA-256 of the ${count} output token ids`,
    ),
    findings.add(
      'token count',
      commitment.output_token_count === count,
      `${commitment.output_token_count} are committed to`,
    ),
    findings.add(
      'beacon',
      beaconOf(verathos).toString('hex') === beacon.toLowerCase(),
      'SHA-256 of the commitment’s hash and the nonce',
    ),
    billed === null || findings.add('billed tokens', billed === count, `${billed} completion tokens are billed`),
  ];
  findings.unchecked('text', 'token ids are not turned back into the answer’s text: that takes the model’s tokenizer');
  findings.unchecked('proof', 'layer claims and openings of weights are not verified');
  return results.every(Boolean);
}
