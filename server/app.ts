import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../protocol/receipt/call-id.ts';
import type { BlockStore } from './audit/block-store.ts';
import { createBlockHandler } from './http/answer-block.ts';
import { createChatHandler, type AnswerChatDeps } from './http/answer-chat.ts';
import { createReceiptHandler } from './http/answer-receipt.ts';
import type { ModelsAnswer } from './http/describe-models.ts';
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
  ledger: Pick<Ledger, 'getSignedReceipt'>;
  blocks: Pick<BlockStore, 'get'>;
  /** Runs a background job to its end. */
  runJob(name: OperatorJob): Promise<object>;
  operatorToken: string;
}

/**
 * The relay's HTTP side, without a socket. Calls come first and pass no middleware: each layer before them is paid for
 * by every call.
 */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.enable('case sensitive routing').enable('strict routing');

  app.post('/v1/chat/completions', createChatHandler(deps));
  app.get('/v1/models', (_, response) => void response.json(deps.models()));
  app.get('/healthz', (_, response) => {
    const { stopping } = deps.gate;
    response.status(stopping ? 503 : 200).json({ status: stopping ? 'stopping' : 'ok', ...deps.health() });
  });
  app.get('/ipfs/:cid', createBlockHandler(deps.blocks));
  app.get('/v1/audit/receipts/:callId', createReceiptHandler(deps));
  app.post('/v1/operator/jobs/:job', runOperatorJob(deps));

  for (const path of ['/v1/chat/completions', '/v1/operator/jobs/:job']) app.all(path, refuseMethod('POST'));
  for (const path of ['/v1/models', '/healthz', '/ipfs/:cid', '/v1/audit/receipts/:callId']) {
    app.all(path, refuseMethod('GET, HEAD'));
  }
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

function refuseMethod(allowed: string): RequestHandler {
  return (request, response) => {
    response.setHeader('allow', allowed);
    throw new AutoPayError('method_not_allowed', `${request.path.slice(0, 200)} takes ${allowed} only.`);
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
