import { meetsTier } from '../../../protocol/evidence/meets-tier.ts';
import { sha256Hex } from '../../../protocol/evidence/provider-signature.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { EvidenceTier } from '../../../protocol/receipt/call-receipt.ts';
import type { CallContext } from '../call-context.ts';
import type { AnswerFacts } from '../endpoints/answer-facts.ts';
import { meterAnswer } from '../meter-answer.ts';
import { EvidenceTooLow } from '../router.ts';
import { scanTopLevel } from '../scan-top-level.ts';
import { spliceTopLevel } from '../splice-top-level.ts';
import type { UpstreamResponse } from '../transport.ts';
import type { Deployment } from '../types.ts';
import type { CollectedEvidence, EvidencePlan } from './evidence-collector.ts';
import { tapExchange, type ExchangeTap } from './exchange-tap.ts';

/** An answer whose evidence is looked for, or demanded. */
export interface WatchedAnswer {
  /** To be read in the place of the provider's. */
  response: UpstreamResponse;
  deployment: Deployment;
  plan: EvidencePlan | undefined;
  tap: ExchangeTap | null;
}

const relaySigned: CollectedEvidence = { tier: 'relay-signed', stored: null };

/** The evidence of one call: what its providers' answers are supported by, and what its route or client demands. */
export class EvidenceWatch {
  readonly #context: CallContext;
  readonly #requests = new Map<Deployment, { digest: Hex; isClients: boolean }>();
  #isTooLow = false;

  constructor(context: CallContext) {
    this.#context = context;
  }

  /** Null where no answer of this call has evidence and none is demanded: such a call does nothing more than any. */
  static of(context: CallContext): EvidenceWatch | null {
    const { deps, reserved } = context;
    const isDemanded = reserved.offers.some(({ minimumTiers = [] }) => minimumTiers.length > 0);
    const isThere = reserved.offers.some((offer) => offer.deployments.some((one) => deps.evidence?.planFor(one)));
    return isDemanded || isThere ? new EvidenceWatch(context) : null;
  }

  /** Whether the last answer that was read lacked what is demanded. */
  get isTooLow(): boolean {
    return this.#isTooLow;
  }

  /** What goes to a provider: the body, with what brings evidence where that is demanded. It is remembered. */
  prepareRequest(deployment: Deployment, body: Buffer): Buffer {
    const plan = this.#context.deps.evidence?.planFor(deployment);
    if (!plan) return body;
    const members = this.#minimumsOf(deployment).length > 0 ? plan.members : undefined;
    const sent = members ? spliceTopLevel(body, scanTopLevel(body), members) : body;
    const isClients = Buffer.compare(sent, this.#context.request.body) === 0;
    this.#requests.set(deployment, { digest: sha256Hex(sent), isClients });
    return sent;
  }

  /** Begins to watch an answer. */
  open(response: UpstreamResponse, deployment: Deployment): WatchedAnswer {
    this.#isTooLow = false;
    const plan = this.#context.deps.evidence?.planFor(deployment);
    // JSON is read into memory anyway, as far as the relay allows.
    const tap = plan ? tapExchange(response, this.#context.call.asked.stream ? plan.keep : null) : null;
    return { response: tap?.response ?? response, deployment, plan, tap };
  }

  /** Collects the evidence of an answer that was read to its end. What cannot be had lowers the tier. */
  async collect(
    { deployment, plan, tap }: WatchedAnswer,
    facts: Pick<AnswerFacts, 'texts' | 'usage'>,
  ): Promise<CollectedEvidence> {
    const { call, request, reserved } = this.#context;
    const sent = this.#requests.get(deployment);
    const offer = reserved.offers.find(({ deployments }) => deployments.includes(deployment));
    if (!plan || !tap || !sent || !offer) return relaySigned;
    // What the receipt will say: the provider's own numbers may be missing, or above what is charged.
    const { usage } = await meterAnswer(facts, { asked: call.asked, offer, isWhole: true });
    return plan.collect({
      ...{ callId: request.callId, deployment, completionTokens: usage.completion },
      ...{ requestDigest: sent.digest, isClientsRequest: sent.isClients },
      ...{ responseDigest: tap.digest(), response: tap.take(), stream: call.asked.stream },
    });
  }

  /** Finds out whether less was shown than the route or the client demands; see `isTooLow`. */
  check({ deployment }: Pick<WatchedAnswer, 'deployment'>, tier: EvidenceTier): void {
    this.#isTooLow = this.#minimumsOf(deployment).some((demanded) => !meetsTier(tier, demanded));
  }

  /** @throws EvidenceTooLow if it is so */
  require(watched: Pick<WatchedAnswer, 'deployment'>, tier: EvidenceTier): void {
    this.check(watched, tier);
    if (this.#isTooLow) throw new EvidenceTooLow(`the answer is ${tier}, which is less than is demanded`);
  }

  /** One route may be offered twice, for two kinds of failure: then what either demands. */
  #minimumsOf(deployment: Deployment): readonly EvidenceTier[] {
    const { offers } = this.#context.reserved;
    return offers
      .filter((offer) => offer.deployments.includes(deployment))
      .flatMap((offer) => offer.minimumTiers ?? []);
  }
}
