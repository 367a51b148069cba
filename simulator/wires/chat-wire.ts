import { parseRequest } from '../parse-request.ts';
import { toEvent, writeJson, writeStream } from '../write-frames.ts';
import type { Wire } from './wire.ts';
import { midStreamFault } from './wire-text.ts';

/** OpenAI's `/v1/chat/completions`. */
export const chatWire: Wire = {
  path: '/v1/chat/completions',
  read: parseRequest,
  write: (answer, { request, usage }) =>
    request.stream
      ? writeStream(answer, { includeUsage: request.includeUsage && usage })
      : writeJson(answer, { usage }),
  errorFrame: () => ({
    bytes: toEvent(JSON.stringify({ error: { ...midStreamFault, param: null, code: null } })),
    tokens: 0,
  }),
};
