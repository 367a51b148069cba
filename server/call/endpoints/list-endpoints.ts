import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { chatCompletions } from './chat-completions.ts';
import { completions } from './completions.ts';
import { embeddings } from './embeddings.ts';
import type { Endpoint } from './endpoint.ts';
import { messages } from './messages.ts';
import { responses } from './responses.ts';

/** Every API that calls can be made by. */
export const endpoints: readonly Endpoint[] = [chatCompletions, responses, completions, embeddings, messages];

const byPath = new Map<string, Endpoint>(endpoints.map((endpoint) => [endpoint.path, endpoint]));

/** The endpoint of a path; undefined if there is none. */
export function findEndpoint(path: string): Endpoint | undefined {
  return byPath.get(path);
}

/** The same, where calls come in by such paths only. @throws AutoPayError `not_found` */
export function endpointOf(path: string): Endpoint {
  const endpoint = byPath.get(path);
  if (endpoint) return endpoint;
  const message = `There is no POST ${path.slice(0, 200)}. Calls go to ${[...byPath.keys()].join(', ')}.`;
  throw new AutoPayError('not_found', message);
}
