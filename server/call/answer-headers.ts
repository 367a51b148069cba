import type { CallContext } from './call-context.ts';
import type { OpenAttempt, RetryFacts } from './router.ts';

/**
 * Headers that JSON answers and streams have in common: which route and deployment answered, the rule that chose, which routes could
 * have answered too, and how the attempts went.
 */
export function answerHeaders(
  { call, reserved }: Pick<CallContext, 'call' | 'reserved'>,
  attempt: OpenAttempt,
  retries: RetryFacts,
): Record<string, string> {
  const { offers } = reserved;
  const { quote, route } = offers[attempt.option] ?? offers[0];
  const headers: Record<string, string> = {
    'x-autopay-route': headerText(route.model),
    'x-autopay-deployment': headerText(attempt.deployment.id),
    ...retryHeaders(retries),
  };
  if (call.rule !== null) headers['x-autopay-rule'] = headerText(call.rule);
  if (offers.length > 1)
    headers['x-autopay-fallbacks'] = offers
      .slice(1)
      .map((one) => headerText(one.route.model))
      .join(', ');
  if (quote.shrunk) headers['x-autopay-output-limit'] = String(quote.outputTokens);
  if (attempt.requestId !== undefined) headers['x-request-id'] = attempt.requestId;
  return { ...headers, ...attempt.headers };
}

/** How the attempts went: their number, and, where there was more than one, what SciLLM calls `retries`. */
export function retryHeaders({ attempts, lastRetryAfterMs, totalSleepMs }: RetryFacts): Record<string, string> {
  const headers: Record<string, string> = { 'x-autopay-attempts': String(attempts) };
  if (attempts < 2) return headers;
  const lastRetryAfter = lastRetryAfterMs === null ? null : lastRetryAfterMs / 1_000;
  const facts = { attempts, total_sleep_s: totalSleepMs / 1_000, last_retry_after_s: lastRetryAfter };
  return { ...headers, 'x-autopay-retries': JSON.stringify(facts) };
}

/** Names may have any letters, headers may not. */
function headerText(name: string): string {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(name) ? name : encodeURIComponent(name.toWellFormed());
}
