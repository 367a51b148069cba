import type { CallContext } from './call-context.ts';
import type { OpenAttempt, RetryFacts } from './router.ts';

/** What headers are made from. */
export interface HeaderFacts {
  attempt: OpenAttempt;
  retries: RetryFacts;
  /** Those that every answer of its kind has; they come first. */
  always: Readonly<Record<string, string>>;
}

/**
 * Headers that JSON answers and streams have in common: which route and deployment answered, the rule that chose, which routes could
 * have answered too, and how the attempts went.
 */
export function answerHeaders(
  { call, reserved }: Pick<CallContext, 'call' | 'reserved'>,
  { always, attempt, retries }: HeaderFacts,
): Record<string, string> {
  const { offers } = reserved;
  const { quote, route } = offers[attempt.option] ?? offers[0];
  const headers: Record<string, string> = {
    ...always,
    'x-autopay-route': headerText(route.model),
    'x-autopay-deployment': headerText(attempt.deployment.id),
  };
  addRetryHeaders(headers, retries);
  if (call.rule !== null) headers['x-autopay-rule'] = headerText(call.rule);
  if (offers.length > 1)
    headers['x-autopay-fallbacks'] = offers
      .slice(1)
      .map((one) => headerText(one.route.model))
      .join(', ');
  if (quote.shrunk) headers['x-autopay-output-limit'] = String(quote.outputTokens);
  if (attempt.requestId !== undefined) headers['x-request-id'] = attempt.requestId;
  return Object.assign(headers, attempt.headers);
}

/** How the attempts went: their number, and, where there was more than one, what SciLLM calls `retries`. */
export function retryHeaders(retries: RetryFacts): Record<string, string> {
  const headers: Record<string, string> = {};
  addRetryHeaders(headers, retries);
  return headers;
}

function addRetryHeaders(headers: Record<string, string>, retries: RetryFacts): void {
  const { attempts, lastRetryAfterMs, totalSleepMs } = retries;
  headers['x-autopay-attempts'] = String(attempts);
  if (attempts < 2) return;
  const lastRetryAfter = lastRetryAfterMs === null ? null : lastRetryAfterMs / 1_000;
  const facts = { attempts, total_sleep_s: totalSleepMs / 1_000, last_retry_after_s: lastRetryAfter };
  headers['x-autopay-retries'] = JSON.stringify(facts);
}

/** Names may have any letters, headers may not. */
function headerText(name: string): string {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(name) ? name : encodeURIComponent(name.toWellFormed());
}
