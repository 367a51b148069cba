import type { Request, RequestHandler } from 'express';
import { describeKeys } from '../../keys/describe-keys.ts';
import { changeKeySchema, createKeySchema } from '../../keys/key-schemas.ts';
import { changeKey, createKey, deleteKey, requireKey, type ManageDeps } from '../../keys/manage-keys.ts';
import type { DescribeDeps } from '../../keys/describe-keys.ts';
import type { JsonReader } from './read-json.ts';
import { readPrincipal, requireManager, type PrincipalDeps } from './read-principal.ts';

/** What the routes of keys need. */
export interface KeyRoutesDeps extends ManageDeps, PrincipalDeps {
  ledger: ManageDeps['ledger'] & DescribeDeps['ledger'];
  cache: ManageDeps['cache'] & PrincipalDeps['cache'];
  json: JsonReader;
}

/** `POST /v1/keys`: a new key; the answer's `key` is shown this once. */
export function createKeyHandler(deps: KeyRoutesDeps): RequestHandler {
  return async (request, response) => {
    const payer = requireManager(await readPrincipal(request, deps));
    const terms = await deps.json.read(request, createKeySchema);
    const { apiKey, key } = await createKey(deps, { payer, createdBy: 'payer' }, terms);
    const [described] = await describeKeys(deps, [key]);
    response
      .status(201)
      .setHeader('cache-control', 'no-store')
      .json({ ...described, key: apiKey });
  };
}

/** `GET /v1/keys`: the payer's keys; for a key that does not manage, itself. */
export function listKeysHandler(deps: KeyRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { key, payer } = await readPrincipal(request, deps);
    const keys = key && !key.manages ? [key] : await deps.ledger.listKeys(payer);
    response.json({ object: 'list', data: await describeKeys(deps, keys) });
  };
}

/** `GET /v1/keys/{id}` */
export function getKeyHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const principal = await readPrincipal(request, deps);
    const isItself = principal.key?.keyId === request.params.id;
    const payer = isItself ? principal.payer : requireManager(principal);
    const [described] = await describeKeys(deps, [await requireKey(deps, request.params.id, payer)]);
    response.json(described);
  };
}

/** `PATCH /v1/keys/{id}`: what is not named stays. */
export function changeKeyHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const key = await requireManaged(request, deps);
    const change = await deps.json.read(request, changeKeySchema);
    const [described] = await describeKeys(deps, [await changeKey(deps, key, change)]);
    response.json(described);
  };
}

/** `DELETE /v1/keys/{id}` */
export function deleteKeyHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const key = await requireManaged(request, deps);
    await deleteKey(deps, key);
    response.json({ object: 'key', id: key.keyId, deleted: true });
  };
}

async function requireManaged(request: Request<{ id: string }>, deps: KeyRoutesDeps) {
  const payer = requireManager(await readPrincipal(request, deps));
  return requireKey(deps, request.params.id, payer);
}
