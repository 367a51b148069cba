import express, { type ErrorRequestHandler } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveHttp, type ServedHttp } from '../../../test/support/serve-http.ts';
import { createLog } from '../../log.ts';
import type { KeptEvidence, PrunedEvidence } from '../../ledger/evidence-store.ts';
import { sendError } from '../send-error.ts';
import { createEvidenceHandler } from './evidence-route.ts';

const operatorToken = 'operator';
const kept = new Map<string, KeptEvidence | PrunedEvidence>([
  ['old', { prunedBeforeMs: Date.UTC(2026, 0, 2) }],
  ['plain', { body: '{"version":1,"attestation":null}', attestation: null }],
  ['attested', { body: '{"version":1,"attestation":null}', attestation: '{"quote":"AA=="}' }],
]);
let served: ServedHttp;

beforeAll(async () => {
  const app = express();
  const findCall = (callId: string) =>
    Promise.resolve(callId === 'unknown' ? undefined : { chainId: 1, payer: null, keyId: null, json: '{}' });
  app.get(
    '/:callId',
    createEvidenceHandler({
      ...{ operatorToken, principals: undefined, chainId: 1, showsAllChains: true, queries: { findCall } },
      ledger: { findEvidence: (callId) => Promise.resolve(kept.get(callId)) },
    }),
  );
  const answerError: ErrorRequestHandler = (error: unknown, request, response, _next) =>
    sendError({ request, response, error, payments: [], log: createLog('silent') });
  app.use(answerError);
  served = await serveHttp(app);
});
afterAll(() => served.stop());

async function ask(callId: string, token = operatorToken): Promise<[number, unknown]> {
  const response = await fetch(`${served.url}/${callId}`, { headers: { authorization: `Bearer ${token}` } });
  return [response.status, await response.json()];
}

test('a document comes with the attestation that it shares with others', async () => {
  expect(await ask('plain')).toEqual([200, { version: 1, attestation: null }]);
  expect(await ask('attested')).toEqual([200, { version: 1, attestation: { quote: 'AA==' } }]);
});

test('it is for those whose call it is; a call without evidence says so', async () => {
  expect((await ask('plain', 'somebody-else'))[0]).toBe(403);
  expect((await ask('unknown'))[0]).toBe(404);
  expect(await ask('bare')).toMatchObject([404, { error: { message: expect.stringContaining('relay’s signature') } }]);
});

test('evidence that was kept long enough is said to be gone, from when, and what is left', async () => {
  expect(await ask('old')).toMatchObject([
    410,
    { error: { code: 'evidence_pruned', message: expect.stringMatching(/before 2026-01-02T.*saved in time.*--file/) } },
  ]);
});
