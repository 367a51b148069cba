import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../protocol/receipt/call-id.ts';
import type { BlockStore } from './audit/block-store.ts';
import { allowOrigins, answerPreflight } from './http/allow-origins.ts';
import { createBlockHandler } from './http/answer-block.ts';
import { createChatHandler, type AnswerChatDeps } from './http/answer-chat.ts';
import { createForgiveHandler, createLossesHandler, type LossesDeps } from './http/answer-losses.ts';
import { createPaymentHandler } from './http/answer-payment.ts';
import { createHeadHandler } from './http/answer-head.ts';
import { createPurchasesHandler, createResumeHandler, type PurchasesDeps } from './http/answer-purchases.ts';
import { createReceiptHandler } from './http/answer-receipt.ts';
import type { ModelsAnswer } from './http/describe-models.ts';
import { createKeyRouter, type KeyRouterDeps } from './http/keys/create-key-router.ts';
import { refuseMethod } from './http/refuse-method.ts';
import { requireOperator } from './http/require-operator.ts';
import { sendError } from './http/send-error.ts';
import type { Ledger } from './ledger/ledger.ts';

/** The jobs that the operator may ask for. */
const operatorJobs = ['collect', 'anchor', 'release'] as const;
type OperatorJob = (typeof operatorJobs)[number];

/** What the relay's HTTP side works with. */
export interface AppDeps extends AnswerChatDeps {
  models: () => ModelsAnswer;
  /** Added to `{status}` by `GET /healthz`. JSON. */
  health: () => Readonly<Record<string, unknown>>;
  ledger: Pick<Ledger, 'getSignedReceipt'> & LossesDeps['ledger'];
  blocks: Pick<BlockStore, 'get'>;
  /** Runs a background job to its end. */
  runJob(name: OperatorJob): Promise<object>;
  operatorToken: string;
  /** What the relay buys from providers that sell calls. */
  purchases?: PurchasesDeps | undefined;
  /** Logins, keys, projects and money of payers; undefined where calls cannot be paid by key. */
  keys?: KeyRouterDeps | undefined;
}

const postPaths = ['/v1/operator/jobs/:job', '/v1/operator/losses/:paymentId/forgive'];
const getPaths = [
  ...['/v1/models', '/healthz', '/ipfs/:cid', '/v1/audit/receipts/:callId', '/v1/payments/:paymentId'],
  '/v1/operator/losses',
];

/**
 * The relay's HTTP side, without a socket. Calls come first and pass no middleware: each layer before them is paid for
 * by every call.
 */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.enable('case sensitive routing').enable('strict routing');

  app.post('/v1/chat/completions', createChatHandler(deps));
  app.use((request, response, next) => {
    if (request.method === 'OPTIONS') return answerPreflight(request, response);
    allowOrigins(request, response);
    next();
  });
  app.head('/v1/chat/completions', createHeadHandler(deps));
  app.get('/v1/models', (_, response) => void response.json(deps.models()));
  app.get('/healthz', (_, response) => {
    const { stopping } = deps.gate;
    response.status(stopping ? 503 : 200).json({ status: stopping ? 'stopping' : 'ok', ...deps.health() });
  });
  app.get('/ipfs/:cid', createBlockHandler(deps.blocks));
  app.get('/v1/audit/receipts/:callId', createReceiptHandler(deps));
  app.get('/v1/payments/:paymentId', createPaymentHandler(deps));
  app.post('/v1/operator/jobs/:job', runOperatorJob(deps));
  app.get('/v1/operator/losses', createLossesHandler(deps));
  app.post('/v1/operator/losses/:paymentId/forgive', createForgiveHandler(deps));
  if (deps.purchases) {
    const purchases = { ...deps.purchases, operatorToken: deps.operatorToken };
    app.get('/v1/operator/purchases', createPurchasesHandler(purchases));
    app.post('/v1/operator/purchases/:provider/resume', createResumeHandler(purchases));
  }
  if (deps.keys) app.use(createKeyRouter(deps.keys));

  app.all('/v1/chat/completions', refuseMethod('HEAD, POST'));
  for (const path of postPaths) app.all(path, refuseMethod('POST'));
  for (const path of getPaths) app.all(path, refuseMethod('GET, HEAD'));
  app.use((request) => {
    const what = `${request.method} ${request.path.slice(0, 200)}`;
    throw new AutoPayError('not_found', `There is no ${what}. Calls go to POST /v1/chat/completions.`);
  });
  app.use(answerError(deps));
  return app;
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
