import { boundCall, type QuoteInput } from '../metering/quote-call.ts';
import { parseChatRequest, type ChatRequest } from './parse-chat-request.ts';
import { refuseTooLong } from './refuse-too-long.ts';
import type { ChosenRoute, RouteChoice } from './route-choice.ts';
import type { CallDeps, CallRequest, Route } from './types.ts';

/** A route that may answer a call, and what bounds the call's cost there. */
export interface CallOption extends ChosenRoute {
  quoteInput: QuoteInput;
}

/** A request that is understood: what is asked, what may answer it, and what bounds its cost. */
export interface PreparedCall {
  chat: ChatRequest;
  /** The first is asked first. */
  options: readonly [CallOption, ...CallOption[]];
  /** The route that is asked first. */
  route: Route;
  /** The rule that chose it; null if none did. */
  rule: string | null;
}

/**
 * Reads, routes and bounds a request; decides nothing yet.
 * @throws AutoPayError as parseChatRequest and ChooseRoutes.
 */
export function prepareCall(
  deps: Pick<CallDeps, 'limits' | 'chooseRoutes'>,
  { body, headers }: Pick<CallRequest, 'body' | 'headers'>,
): PreparedCall {
  const chat = parseChatRequest(body);
  const { routes, rule }: RouteChoice = deps.chooseRoutes({ chat, headers, bodyBytes: body.length });
  const [first, ...others] = routes;
  const boundTo = (chosen: ChosenRoute): CallOption => ({ ...chosen, quoteInput: inputOf(chosen.route, chat, body) });
  const options: PreparedCall['options'] = [boundTo(first), ...others.map(boundTo)];
  for (const { quoteInput } of options) {
    const { outputTokens } = boundCall(quoteInput);
    refuseTooLong(chat, { outputTokens, maxResponseBytes: deps.limits.maxResponseBytes });
  }
  return { chat, options, route: first.route, rule };
}

function inputOf(route: Route, chat: ChatRequest, body: Buffer): QuoteInput {
  return {
    bodyBytes: body.length,
    textOnly: chat.textOnly,
    choices: chat.choices,
    requestedOutputTokens: chat.outputLimit?.tokens ?? null,
    contextTokens: route.contextTokens,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens: route.defaultMaxOutputTokens,
  };
}
