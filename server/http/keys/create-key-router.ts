import { Router, type ErrorRequestHandler } from 'express';
import { createCallId } from '../../../protocol/receipt/call-id.ts';
import type { Log } from '../../log.ts';
import { discardRest } from '../discard-rest.ts';
import { refuseMethod } from '../refuse-method.ts';
import { sendError } from '../send-error.ts';
import { createLoginHandler, createNonceHandler, type AuthRoutesDeps } from './auth-routes.ts';
import {
  createBalanceHandler,
  createHeadroomHandler,
  createSpendingHandler,
  type BalanceRoutesDeps,
} from './balance-routes.ts';
import { createCloseChannelHandler, type CloseChannelDeps } from './close-channel.ts';
import * as keys from './key-routes.ts';
import * as litellm from './litellm-routes.ts';
import * as projects from './project-routes.ts';

/** What the routes of logins, keys, projects and money need. */
export interface KeyRouterDeps
  extends AuthRoutesDeps, BalanceRoutesDeps, CloseChannelDeps, keys.KeyRoutesDeps, litellm.LitellmRoutesDeps {
  ledger: AuthRoutesDeps['ledger'] &
    BalanceRoutesDeps['ledger'] &
    CloseChannelDeps['ledger'] &
    keys.KeyRoutesDeps['ledger'] &
    litellm.LitellmRoutesDeps['ledger'];
  cache: BalanceRoutesDeps['cache'] & keys.KeyRoutesDeps['cache'];
  secrets: AuthRoutesDeps['secrets'];
  log: Log;
}

/** The relay's own API of keys (`/v1/…`), and LiteLLM's (`/key/…`, `/spend/logs`). */
export function createKeyRouter(deps: KeyRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.post('/v1/auth/nonce', createNonceHandler(deps));
  router.post('/v1/auth/login', createLoginHandler(deps));
  router.post('/v1/keys/headroom', createHeadroomHandler(deps));
  router.route('/v1/keys').get(keys.listKeysHandler(deps)).post(keys.createKeyHandler(deps));
  router
    .route('/v1/keys/:id')
    .get(keys.getKeyHandler(deps))
    .patch(keys.changeKeyHandler(deps))
    .delete(keys.deleteKeyHandler(deps));
  router.route('/v1/projects').get(projects.listProjectsHandler(deps)).post(projects.createProjectHandler(deps));
  router
    .route('/v1/projects/:id')
    .get(projects.getProjectHandler(deps))
    .patch(projects.changeProjectHandler(deps))
    .delete(projects.deleteProjectHandler(deps));
  router.post('/v1/channels/:id/close', createCloseChannelHandler(deps));
  router.get('/v1/balance', createBalanceHandler(deps));
  router.get('/v1/spending', createSpendingHandler(deps));
  router.post('/key/generate', litellm.createGenerateHandler(deps));
  router.post('/key/update', litellm.createUpdateHandler(deps));
  router.post('/key/delete', litellm.createDeleteHandler(deps));
  router.get('/key/info', litellm.createInfoHandler(deps));
  router.get('/spend/logs', litellm.createSpendLogsHandler(deps));

  for (const path of ['/v1/auth/nonce', '/v1/auth/login', '/v1/keys/headroom', '/v1/channels/:id/close']) {
    router.all(path, refuseMethod('POST'));
  }
  for (const path of ['/key/generate', '/key/update', '/key/delete']) router.all(path, refuseMethod('POST'));
  for (const path of ['/v1/balance', '/v1/spending', '/key/info', '/spend/logs']) {
    router.all(path, refuseMethod('GET, HEAD'));
  }
  for (const path of ['/v1/keys', '/v1/projects']) router.all(path, refuseMethod('GET, HEAD, POST'));
  for (const path of ['/v1/keys/:id', '/v1/projects/:id']) router.all(path, refuseMethod('GET, HEAD, PATCH, DELETE'));
  router.use(answerError(deps));
  return router;
}

/** No payment is offered here: what a 402 asks for is headroom, which is posted, not sent along. */
function answerError({ log }: KeyRouterDeps): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (request.method === 'POST' && !response.hasHeader('x-autopay-call-id')) {
      response.setHeader('x-autopay-call-id', createCallId());
    }
    sendError({ request, response, error, payments: [], log });
    discardRest(request);
  };
}
