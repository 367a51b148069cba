import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../protocol/receipt/call-id.ts';
import type { BlockStore } from './audit/block-store.ts';
import { endpoints } from './call/endpoints/list-endpoints.ts';
import { allowOrigins, answerPreflight } from './http/allow-origins.ts';
import { createCallHandler, type AnswerCallDeps } from './http/answer-call.ts';
import { createForgiveHandler, createLossesHandler, type LossesDeps } from './http/answer-losses.ts';
import { createPaymentHandler } from './http/answer-payment.ts';
import { createHeadHandler } from './http/answer-head.ts';
import { createModelHandler } from './http/answer-model.ts';
import { createLogRouter, type LogRoutesDeps } from './http/answer-log.ts';
import { createPurchasesHandler, createResumeHandler, type PurchasesDeps } from './http/answer-purchases.ts';
import { createRetryWebhooksHandler, createWebhooksHandler, type WebhooksDeps } from './http/answer-webhooks.ts';
import { createAuditRouter, type AuditRouterDeps } from './http/audit/create-audit-router.ts';
import type { ModelsAnswer } from './http/describe-models.ts';
import { createIpfsHandler } from './http/ipfs/answer-ipfs.ts';
import { createKeyRouter, type KeyRouterDeps } from './http/keys/create-key-router.ts';
import { refuseMethod } from './http/refuse-method.ts';
import { requireOperator } from './http/require-operator.ts';
import { sendError } from './http/send-error.ts';

/** The jobs that the operator may ask for. */
const operatorJobs = ['collect', 'anchor', 'release'] as const;
type OperatorJob = (typeof operatorJobs)[number];

/** What the relay's HTTP side works with. */
export interface AppDeps extends AnswerCallDeps {
  models: () => ModelsAnswer;
  /** Added to `{status}` by `GET /healthz`. JSON. */
  health: () => Readonly<Record<string, unknown>>;
  ledger: LossesDeps['ledger'];
  blocks: Pick<BlockStore, 'get'>;
  /** Runs a background job to its end. */
  runJob(name: OperatorJob): Promise<object>;
  operatorToken: string;
  /** The log of all calls. */
  auditLog?: LogRoutesDeps | undefined;
  /** What can be asked about it. */
  audit?: Omit<AuditRouterDeps, 'operatorToken' | 'principals'> | undefined;
  /** What the relay buys from providers that sell calls. */
  purchases?: PurchasesDeps | undefined;
  /** Who is told of receipts. */
  webhooks?: Omit<WebhooksDeps, 'operatorToken'> | undefined;
  /** Logins, keys, projects and money of payers; undefined where calls cannot be paid by key. */
  keys?: KeyRouterDeps | undefined;
}

/** A block, or what its links lead to. */
const ipfsPath = '/ipfs/:cid{/*path}';
const postPaths = ['/v1/operator/jobs/:job', '/v1/operator/losses/:paymentId/forgive'];
const getPaths = [
  ...['/v1/models', '/v1/models/*model', '/healthz', ipfsPath, '/v1/payments/:paymentId'],
  ...['/v1/operator/losses', '/log/checkpoint', '/log/key', '/log/tile/*place'],
];

const callPaths: ReadonlySet<string> = new Set(endpoints.map(({ path }) => path));

/**
 * The relay's HTTP side, without a socket. Calls come first and pass no middleware, most of them not even Express: each layer before
 * them is paid for by every call.
 */
export function createApp(deps: AppDeps): RequestListener {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.enable('case sensitive routing').enable('strict routing');

  const answerCall = createCallHandler(deps);
  for (const { path } of endpoints) app.post(path, answerCall);
  app.use((request, response, next) => {
    if (request.method === 'OPTIONS') return answerPreflight(request, response);
    allowOrigins(request, response);
    next();
  });
  for (const { path } of endpoints) app.head(path, createHeadHandler(deps));
  app.get('/v1/models', (_, response) => void response.json(deps.models()));
  app.get('/v1/models/*model', createModelHandler(deps.models));
  app.get('/healthz', (_, response) => {
    const { stopping } = deps.gate;
    response.status(stopping ? 503 : 200).json({ status: stopping ? 'stopping' : 'ok', ...deps.health() });
  });
  app.get(ipfsPath, createIpfsHandler({ blocks: deps.blocks }));
  if (deps.auditLog) app.use('/log', createLogRouter(deps.auditLog));
  app.get('/v1/payments/:paymentId', createPaymentHandler(deps));
  app.post('/v1/operator/jobs/:job', runOperatorJob(deps));
  app.get('/v1/operator/losses', createLossesHandler(deps));
  app.post('/v1/operator/losses/:paymentId/forgive', createForgiveHandler(deps));
  if (deps.purchases) {
    const purchases = { ...deps.purchases, operatorToken: deps.operatorToken };
    app.get('/v1/operator/purchases', createPurchasesHandler(purchases));
    app.post('/v1/operator/purchases/:provider/resume', createResumeHandler(purchases));
  }
  if (deps.webhooks) {
    const webhooks = { ...deps.webhooks, operatorToken: deps.operatorToken };
    app.get('/v1/operator/webhooks', createWebhooksHandler(webhooks));
    app.post('/v1/operator/webhooks/retry', createRetryWebhooksHandler(webhooks));
  }
  if (deps.audit)
    app.use(createAuditRouter({ ...deps.audit, operatorToken: deps.operatorToken, principals: deps.keys }));
  if (deps.keys) app.use(createKeyRouter(deps.keys));

  for (const { path } of endpoints) app.all(path, refuseMethod('HEAD, POST'));
  for (const path of postPaths) app.all(path, refuseMethod('POST'));
  for (const path of getPaths) app.all(path, refuseMethod('GET, HEAD'));
  app.use((request) => {
    const what = `${request.method} ${request.path.slice(0, 200)}`;
    throw new AutoPayError(
      'not_found',
      `There is no ${what}. Calls go to POST ${endpoints.map(({ path }) => path).join(', ')}.`,
    );
  });
  app.use(answerError(deps));
  return (request, response) => {
    // A fifth of what HTTP costs a call; whatever is written otherwise, with a query or a host, Express understands.
    const isCall = request.method === 'POST' && callPaths.has(request.url ?? '');
    if (isCall) answerCall(request, response).catch((error: unknown) => answerLate(deps, { request, response, error }));
    else app(request, response);
  };
}

/** What the answer of a call failed with after all that answers failures. */
function answerLate(
  { log, payments }: AppDeps,
  failed: { request: IncomingMessage; response: ServerResponse; error: unknown },
): void {
  try {
    sendError({ ...failed, payments, log });
  } catch {
    failed.response.destroy();
  }
}

function runOperatorJob(deps: Pick<AppDeps, 'operatorToken' | 'runJob'>): RequestHandler<{ job: string }> {
  return async (request, response) => {
    requireOperator(request, deps.operatorToken);
    const job = operatorJobs.find((name) => name === request.params.job);
    if (job === undefined) {
      throw new AutoPayError('not_found', `There is no such job. There are ${operatorJobs.join(', ')}.`);
    }
    const result = await deps.runJob(job);
    response.setHeader('x-autopay-call-id', createCallId()).json(result);
  };
}

function answerError({ payments, log }: AppDeps): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (request.method === 'POST' && !response.headersSent && !response.hasHeader('x-autopay-call-id')) {
      response.setHeader('x-autopay-call-id', createCallId());
    }
    sendError({ request, response, error: readRouterError(error), payments, log });
  };
}

/** Express's router reports a path that is no valid URL encoding as an error of its own. */
function readRouterError(error: unknown): unknown {
  if (!(error instanceof URIError)) return error;
  return new AutoPayError('not_found', 'The path is not valid URL encoding.', { cause: error });
}
