import type { RequestHandler } from 'express';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { EvidenceLedger } from '../../ledger/evidence-ledger.ts';
import type { AuditQueries } from '../../ledger/queries/audit-queries.ts';
import { findOwnCall } from './call-routes.ts';
import type { AskerDeps } from './read-asker.ts';

/** What the route of evidence needs. */
export interface EvidenceRouteDeps extends AskerDeps {
  queries: Pick<AuditQueries, 'findCall'>;
  ledger: Pick<EvidenceLedger, 'findEvidence'>;
}

/**
 * `GET /v1/audit/evidence/{callId}`: the evidence document of one call (docs/PROTOCOL.md, "Evidence"), with what the relay found. For
 * its payer, its API key, and the operator.
 *
 * @throws AutoPayError `forbidden`, `login_required`, `not_found`, `evidence_pruned`
 */
export function createEvidenceHandler(deps: EvidenceRouteDeps): RequestHandler<{ callId: string }> {
  return async (request, response) => {
    await findOwnCall(deps, request);
    const kept = await deps.ledger.findEvidence(request.params.callId);
    if (!kept) {
      const message =
        'Nothing but the relay’s signature supports this call: its provider has no evidence, or none was kept.';
      throw new AutoPayError('not_found', message, { param: 'callId' });
    }
    if ('prunedBeforeMs' in kept) {
      const { prunedBeforeMs } = kept;
      const message =
        `Evidence of calls before ${new Date(prunedBeforeMs).toISOString()} is no longer kept. The tier that was found stays in the ` +
        'receipt; check a document that was saved in time with autopay audit evidence --file.';
      throw new AutoPayError('evidence_pruned', message, { param: 'callId', facts: { prunedBeforeMs } });
    }
    const document = JSON.parse(kept.body) as object;
    const attestation = kept.attestation === null ? {} : { attestation: JSON.parse(kept.attestation) as object };
    response.setHeader('cache-control', 'no-store').json({ ...document, ...attestation });
  };
}
