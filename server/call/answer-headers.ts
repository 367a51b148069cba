import type { CallContext } from './call-context.ts';
import type { OpenAttempt } from './router.ts';

/** Headers that JSON answers and streams have in common. */
export function answerHeaders({ reserved }: CallContext, attempt: OpenAttempt): Record<string, string> {
  const headers: Record<string, string> = {};
  if (reserved.quote.shrunk) headers['x-autopay-output-limit'] = String(reserved.quote.outputTokens);
  if (attempt.requestId !== undefined) headers['x-request-id'] = attempt.requestId;
  return headers;
}
