import { X509Certificate } from 'node:crypto';
import {
  evidenceDocumentSchema,
  maxEvidenceBytes,
  type EvidenceDocument,
  type EvidenceFacts,
} from '../../protocol/evidence/evidence-document.ts';
import { judgeEvidence, type EvidenceTerms, type EvidenceVerdict } from '../../protocol/evidence/judge-evidence.ts';
import type {
  CollectedEvidence,
  EvidenceCollector,
  EvidencePlan,
  Exchange,
  KeptPart,
} from '../call/evidence/evidence-collector.ts';
import type { Clock, Deployment } from '../call/types.ts';
import type { EvidenceConfig } from '../config/resolve-evidence.ts';
import type { EvidenceLedger } from '../ledger/evidence-ledger.ts';
import type { Log } from '../log.ts';
import type { Provider } from '../providers/openai-compatible.ts';
import type { CheckQuote } from './check-quote.ts';
import { collectSignature } from './collect-signature.ts';
import { AttestationKeeper, type KeptAttestation } from './keep-attestations.ts';
import { readAnswerId, readProof, readValues } from './read-answer.ts';

/** What evidence is collected with. */
export interface EvidenceOptions {
  evidence: readonly EvidenceConfig[];
  /** Where providers are, and their keys. */
  providers: readonly Provider[];
  ledger: Pick<EvidenceLedger, 'putAttestation'>;
  checkQuote: CheckQuote;
  clock: Clock;
  log: Pick<Log, 'error' | 'warn'>;
}

/** A stream's first event names it; of some APIs it repeats the request. */
const keptForId: KeptPart = {
  ...{ part: 'beginning', bytes: 4_194_304 },
  isEnough: (kept) => readAnswerId(readValues(kept, { stream: true })) !== null,
};
/** Commitments come in one of the last events, which are a mebibyte each at most. */
const keptForProof: KeptPart = { part: 'end', bytes: 1_572_864 };
const asksForProof: ReadonlyMap<string, string> = new Map([['include_proof', 'true']]);

/** What one deployment's answers are judged by. */
interface Place {
  config: EvidenceConfig;
  url: string;
  apiKey?: string | undefined;
  terms: EvidenceTerms;
  keeper: AttestationKeeper | null;
}

/** What was collected; `kept` is the attestation that its documents name. */
interface Gathered {
  facts: EvidenceFacts;
  kept: KeptAttestation | null;
}

/** Collects and judges evidence, as providers are configured. Undefined where none has any: then calls do nothing for it. */
export function createEvidenceCollector(options: EvidenceOptions): EvidenceCollector | undefined {
  if (options.evidence.length === 0) return undefined;
  const configs = new Map(options.evidence.map((config) => [config.provider, config]));
  const keepers = new Map(options.evidence.map((config) => [config.provider, createKeeper(config, options)]));
  const plans = new Map<string, EvidencePlan>();
  return {
    planFor(deployment) {
      const config = configs.get(deployment.provider);
      if (!config) return undefined;
      let plan = plans.get(deployment.id);
      if (!plan) {
        const place = placeOf(config, { deployment, options, keeper: keepers.get(deployment.provider) ?? null });
        plan = planOf(place, options);
        plans.set(deployment.id, plan);
      }
      return plan;
    },
  };
}

function planOf(place: Place, options: EvidenceOptions): EvidencePlan {
  const plan = { collect: (exchange: Exchange) => collect(place, exchange, options) };
  if (place.config.kind === 'verathos') return { ...plan, keep: keptForProof, members: asksForProof };
  return { ...plan, keep: keptForId };
}

function createKeeper(config: EvidenceConfig, options: EvidenceOptions): AttestationKeeper | null {
  if (config.kind !== 'tee') return null;
  const { checkQuote, clock, ledger } = options;
  const keepMs = config.attestationMinutes * 60_000;
  return new AttestationKeeper({ ledger, checkQuote, keepMs, nowMs: () => clock.nowMs() });
}

function placeOf(
  config: EvidenceConfig,
  parts: { deployment: Deployment; options: EvidenceOptions; keeper: AttestationKeeper | null },
): Place {
  const { deployment, keeper, options } = parts;
  const named = (name: string) => options.providers.find((provider) => provider.name === name);
  const provider = named(deployment.id) ?? named(deployment.provider);
  const url = ('url' in config ? config.url : undefined) ?? provider?.baseUrl ?? '';
  // The key belongs to the provider's own endpoint, wherever its evidence is.
  const apiKey = provider && new URL(url).origin === new URL(provider.baseUrl).origin ? provider.apiKey : undefined;
  const isTee = config.kind === 'tee';
  const rootCaDer = isTee && config.rootCa !== undefined ? new X509Certificate(config.rootCa).raw : undefined;
  const terms: EvidenceTerms = {
    keys: config.kind === 'verathos' ? [] : config.keys,
    ...(isTee ? { measurements: config.measurements, tcbStatuses: config.tcbStatuses } : { measurements: [] }),
    rootCaDer,
  };
  return { config, url, apiKey, terms, keeper };
}

/** Never rejects: evidence that fails is a lower tier, and no reason to lose an answer. */
async function collect(place: Place, exchange: Exchange, options: EvidenceOptions): Promise<CollectedEvidence> {
  const { callId, completionTokens, deployment } = exchange;
  try {
    const { facts, kept } = await gather(place, exchange, options);
    const terms = kept ? { ...place.terms, verifyQuote: () => Promise.resolve(kept.quote) } : place.terms;
    const verdict = await judgeEvidence(facts, terms, { completionTokens });
    const failed = verdict.checks.filter(({ result }) => result === 'fails');
    if (failed.length > 0) {
      const what = { callId, deployment: deployment.id, tier: verdict.tier, failed };
      options.log.warn(what, 'the evidence of an answer fails, which lowers its tier');
    }
    return { tier: verdict.tier, stored: store(facts, verdict, kept) };
  } catch (error) {
    options.log.error({ callId, deployment: deployment.id, error: describe(error) }, 'evidence could not be collected');
    return { tier: 'relay-signed', stored: null };
  }
}

function store(
  facts: EvidenceFacts,
  judged: EvidenceVerdict,
  kept: KeptAttestation | null,
): CollectedEvidence['stored'] {
  const document: EvidenceDocument = { ...facts, attestation: null, judged };
  const body = JSON.stringify(document);
  if (Buffer.byteLength(body) > maxEvidenceBytes) throw new RangeError('the document is too long to be kept');
  return { body, attestation: kept?.digest ?? null };
}

async function gather(place: Place, exchange: Exchange, { clock }: EvidenceOptions): Promise<Gathered> {
  const { callId, isClientsRequest, requestDigest, response, responseDigest, stream } = exchange;
  const blank: EvidenceFacts = {
    ...{ version: 1, callId, kind: place.config.kind, collectedAtMs: clock.nowMs() },
    exchange: { requestDigest, isClientsRequest, responseDigest, stream },
    ...{ fault: null, signature: null, attestation: null, verathos: null },
  };
  const values = readValues(response, { stream });
  if (place.config.kind === 'verathos') return { facts: readCommitments(blank, values), kept: null };
  const id = readAnswerId(values);
  if (id === null) return { facts: { ...blank, fault: 'the answer has no id' }, kept: null };
  return askProvider(place, { blank, id, model: exchange.deployment.model });
}

function readCommitments(blank: EvidenceFacts, values: Parameters<typeof readProof>[0]): EvidenceFacts {
  const proof = readProof(values);
  if (proof === null) return { ...blank, fault: 'the answer has no commitments; include_proof asks for them' };
  const parsed = evidenceDocumentSchema.shape.verathos.safeParse(proof);
  if (parsed.success) return { ...blank, verathos: parsed.data };
  const [issue] = parsed.error.issues;
  return {
    ...blank,
    fault: `its commitments cannot be read (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`.slice(0, 512),
  };
}

async function askProvider(
  { apiKey, config, keeper, terms, url }: Place,
  { blank, id, model }: { blank: EvidenceFacts; id: string; model: string },
): Promise<Gathered> {
  if (config.kind === 'verathos') throw new RangeError('commitments come with the answer');
  const isEd25519 = terms.keys.length > 0 && terms.keys.every((key) => key.startsWith('ed25519:'));
  const { timeoutMs } = config;
  // Of both questions together.
  const signal = AbortSignal.timeout(timeoutMs);
  let facts = blank;
  try {
    const algorithm = isEd25519 ? 'ed25519' : 'ecdsa';
    const signature = await collectSignature({ url, apiKey, model, id, algorithm, signal });
    facts = { ...facts, signature };
    if (config.kind === 'signature' || !keeper) return { facts, kept: null };
    const { pccsUrl } = config;
    const { algorithm: signedBy, signer } = signature;
    const ask = { url, apiKey, model, algorithm: signedBy, signer, timeoutMs, pccsUrl, rootCaDer: terms.rootCaDer };
    // What comes later is there for the next answer.
    const kept = await orTooLate(keeper.find(ask), signal);
    return { facts: { ...facts, attestation: kept.attestation }, kept };
  } catch (error) {
    return { facts: { ...facts, fault: describe(error) }, kept: null };
  }
}

async function orTooLate<T>(found: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = Promise.withResolvers<never>();
  const abort = () => late.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([found, late.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** One line that goes into documents: it tells nothing of the relay's inside. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'the provider did not answer in time';
  // Its message has some of the text in it.
  if (error.name === 'SyntaxError') return 'the provider’s answer is not JSON';
  if (error.name === 'ZodError') return 'the provider’s answer is not of the form that was asked for';
  const text = error.name === 'TypeError' ? 'the provider cannot be reached' : error.message;
  return text.replaceAll(/\s+/g, ' ').slice(0, 512);
}
