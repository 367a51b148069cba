import { Router } from 'express';
import type { AuditQueries } from '../../ledger/queries/audit-queries.ts';
import { refuseMethod } from '../refuse-method.ts';
import { createBookingsHandler } from './booking-routes.ts';
import { createCallsHandler, createReceiptHandler } from './call-routes.ts';
import { createCursors } from './cursors.ts';
import { createEvidenceHandler, type EvidenceRouteDeps } from './evidence-route.ts';
import { createConsistencyHandler, createEntriesHandler, createInclusionHandler, type ProofLog } from './log-routes.ts';
import type { AskerDeps } from './read-asker.ts';
import { createExportSlots } from './stream-export.ts';

/** What the routes of the audit trail need. */
export interface AuditRouterDeps extends AskerDeps {
  queries: AuditQueries;
  log: ProofLog;
  ledger: EvidenceRouteDeps['ledger'];
}

/** What the relay says of calls, of the log that they stand in, and of what was booked for them (docs/AUDIT.md, "Queries"). */
export function createAuditRouter(given: AuditRouterDeps): Router {
  const deps = { ...given, exports: createExportSlots(), cursors: createCursors(given.operatorToken) };
  const router = Router({ caseSensitive: true, strict: true });
  router.get('/v1/audit/calls', createCallsHandler(deps));
  router.get('/v1/audit/receipts/:callId', createReceiptHandler(deps));
  router.get('/v1/audit/evidence/:callId', createEvidenceHandler(deps));
  router.get('/v1/audit/bookings', createBookingsHandler(deps));
  router.get('/v1/audit/entries', createEntriesHandler(deps));
  router.get('/v1/audit/proof/inclusion', createInclusionHandler(deps));
  router.get('/v1/audit/proof/consistency', createConsistencyHandler(deps));
  const paths = [
    'calls',
    'receipts/:callId',
    'evidence/:callId',
    'bookings',
    'entries',
    'proof/inclusion',
    'proof/consistency',
  ];
  for (const path of paths) router.all(`/v1/audit/${path}`, refuseMethod('GET, HEAD'));
  return router;
}
