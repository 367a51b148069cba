import { meetsTier } from '../../../protocol/evidence/meets-tier.ts';
import { sha256Hex } from '../../../protocol/evidence/provider-signature.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { EvidenceTier } from '../../../protocol/receipt/call-receipt.ts';
import type { CallContext } from '../call-context.ts';
import { EvidenceTooLow } from '../router.ts';
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

  /** Remembers what goes to a provider. */
  noteRequest(deployment: Deployment, body: Uint8Array): void {
    if (!this.#context.deps.evidence?.planFor(deployment)) return;
    const isClients = Buffer.compare(body, this.#context.request.body) === 0;
    this.#requests.set(deployment, { digest: sha256Hex(body), isClients });
  }

  /** Begins to watch an answer. */
  open(response: UpstreamResponse, deployment: Deployment): WatchedAnswer {
    this.#isTooLow = false;
    const plan = this.#context.deps.evidence?.planFor(deployment);
    const tap = plan ? tapExchange(response, plan.keepBytes) : null;
    return { response: tap?.response ?? response, deployment, plan, tap };
  }

  /** Collects the evidence of an answer that was read to its end. Never rejects. */
  async collect(watched: WatchedAnswer, completionTokens: number | null): Promise<CollectedEvidence> {
    const { deployment, plan, tap } = watched;
    const request = this.#requests.get(deployment);
    if (!plan || !tap || !request) return relaySigned;
    return plan.collect({
      ...{ callId: this.#context.request.callId, deployment, completionTokens },
      ...{ requestDigest: request.digest, isClientsRequest: request.isClients },
      ...{ responseDigest: tap.digest(), response: tap.take(), stream: this.#context.call.asked.stream },
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

  #minimumsOf(deployment: Deployment): readonly EvidenceTier[] {
    const { offers } = this.#context.reserved;
    return offers.find(({ deployments }) => deployments.includes(deployment))?.minimumTiers ?? [];
  }
}
