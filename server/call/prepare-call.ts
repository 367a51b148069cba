import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { boundCall, type QuoteInput } from '../metering/quote-call.ts';
import { parseChatRequest, type ChatRequest } from './parse-chat-request.ts';
import { refuseTooLong } from './refuse-too-long.ts';
import type { CallDeps, Route } from './types.ts';

/** A request that is understood: what is asked, what answers to it, and what bounds its cost. */
export interface PreparedCall {
  chat: ChatRequest;
  route: Route;
  quoteInput: QuoteInput;
}

/**
 * Reads, routes and bounds a request; decides nothing yet.
 * @throws AutoPayError as parseChatRequest, and `model_not_found`.
 */
export function prepareCall(deps: Pick<CallDeps, 'limits' | 'routes'>, body: Buffer): PreparedCall {
  const chat = parseChatRequest(body);
  const route = deps.routes.get(chat.model);
  if (!route) {
    throw new AutoPayError(
      'model_not_found',
      `There is no model "${chat.model.slice(0, 128)}" here. GET /v1/models lists the models.`,
      { param: 'model' },
    );
  }
  const quoteInput: QuoteInput = {
    bodyBytes: body.length,
    textOnly: chat.textOnly,
    choices: chat.choices,
    requestedOutputTokens: chat.outputLimit?.tokens ?? null,
    contextTokens: route.contextTokens,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens: route.defaultMaxOutputTokens,
  };
  const { outputTokens } = boundCall(quoteInput);
  refuseTooLong(chat, { outputTokens, maxResponseBytes: deps.limits.maxResponseBytes });
  return { chat, route, quoteInput };
}
