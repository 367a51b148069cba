import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { deleteKeys, describeKeyInfo, generateKey, updateKey, type LitellmDeps } from '../../keys/litellm-keys.ts';
import { deleteKeysSchema, generateKeySchema, spendLogsSchema, updateKeySchema } from '../../keys/litellm-schemas.ts';
import { listSpendLogs, type SpendLogDeps } from '../../keys/litellm-spend.ts';
import { readApiKey } from '../../payments/key/read-api-key.ts';
import { headersOf } from '../read-headers.ts';
import { requireSecret } from '../require-operator.ts';
import { readQuery, type JsonReader } from './read-json.ts';
import { readPrincipal, type PrincipalDeps } from './read-principal.ts';

/** What LiteLLM's routes need. */
export interface LitellmRoutesDeps extends LitellmDeps, SpendLogDeps, PrincipalDeps {
  ledger: LitellmDeps['ledger'] & SpendLogDeps['ledger'];
  cache: LitellmDeps['cache'] & PrincipalDeps['cache'];
  json: JsonReader;
  /** Of the operator; what LiteLLM calls `master_key`. */
  masterKey: string;
}

const keyQuerySchema = z.strictObject({ key: z.string().min(1).max(128).optional() });

/** `POST /key/generate`, by the operator. */
export function createGenerateHandler(deps: LitellmRoutesDeps): RequestHandler {
  return async (request, response) => {
    requireMaster(request, deps);
    const body = await deps.json.read(request, generateKeySchema);
    response.setHeader('cache-control', 'no-store').json(await generateKey(deps, body));
  };
}

/** `POST /key/update`, by the operator. */
export function createUpdateHandler(deps: LitellmRoutesDeps): RequestHandler {
  return async (request, response) => {
    requireMaster(request, deps);
    const body = await deps.json.read(request, updateKeySchema);
    response.setHeader('cache-control', 'no-store').json(await updateKey(deps, body));
  };
}

/** `POST /key/delete`, by the operator. */
export function createDeleteHandler(deps: LitellmRoutesDeps): RequestHandler {
  return async (request, response) => {
    requireMaster(request, deps);
    const { keys } = await deps.json.read(request, deleteKeysSchema);
    response.json(await deleteKeys(deps, keys));
  };
}

/** `GET /key/info?key=…`, by the operator; without `key`, of the key that asks, or by that key itself. */
export function createInfoHandler(deps: LitellmRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { key: asked } = readQuery(request, keyQuerySchema);
    const own = readApiKey(headersOf(request));
    if (own === undefined || (asked !== undefined && asked !== own)) requireMaster(request, deps);
    else await readPrincipal(request, deps);
    const info = await describeKeyInfo(deps, asked ?? own ?? '');
    response.setHeader('cache-control', 'no-store').json(info);
  };
}

/** `GET /spend/logs`, by the operator. */
export function createSpendLogsHandler(deps: LitellmRoutesDeps): RequestHandler {
  return async (request, response) => {
    requireMaster(request, deps);
    const rows = await listSpendLogs(deps, readQuery(request, spendLogsSchema));
    response.setHeader('cache-control', 'no-store').json(rows);
  };
}

function requireMaster(request: IncomingMessage, { masterKey }: LitellmRoutesDeps): void {
  requireSecret(request, masterKey, 'the master key (AUTOPAY_MASTER_KEY, or keys/master.key)');
}
