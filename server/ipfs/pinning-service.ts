import { Agent, request } from 'undici';
import { z } from 'zod';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PinState } from '../ledger/pin-ledger.ts';

/** A pin as a service knows it. */
export interface ServicePin {
  requestId: string;
  state: PinState;
}

/** A service that keeps blocks and what their links reach (IPFS Pinning Service API). */
export interface PinningService {
  /**
   * Asks for a pin of a CID; if the service was asked before and has not failed, that pin is the answer.
   * @throws AutoPayError `ipfs_unavailable`, `verification_failed` if it answers with a pin of another CID
   */
  pin(wanted: { cid: string; name: string }): Promise<ServicePin>;
  /** How far a pin is; undefined if the service does not know it. */
  find(requestId: string): Promise<ServicePin | undefined>;
  /** Gives a pin up; one that is not there is no error. */
  remove(requestId: string): Promise<void>;
  close(): Promise<void>;
}

const statusSchema = z.object({
  requestid: z.string().min(1).max(256),
  status: z.enum(['queued', 'pinning', 'pinned', 'failed']),
  pin: z.object({ cid: z.string() }),
});
const listSchema = z.object({ results: z.array(statusSchema).max(1_000) });

/** Whatever a service says beyond this is not read. */
const maxResponseBytes = 262_144;

/**
 * Connects to a pinning service. Redirects are not followed: only the endpoint of the configuration gets the token.
 *
 * @param options.endpoint without a slash at the end
 * @param options.origins multiaddresses where the service finds the blocks
 * @param options.timeoutMs of one question, answer included
 */
export function createPinningService(options: {
  endpoint: string;
  token: string;
  origins: readonly string[];
  timeoutMs: number;
}): PinningService {
  const { endpoint, token, origins, timeoutMs } = options;
  const dispatcher = new Agent({ connections: 2, connect: { timeout: timeoutMs }, maxResponseSize: maxResponseBytes });

  /** The JSON of a success; undefined for a 404. */
  async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const signal = AbortSignal.timeout(timeoutMs);
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const sent = body ? { body: JSON.stringify(body) } : {};
    try {
      const response = await request(`${endpoint}/pins${path}`, { method, headers, dispatcher, signal, ...sent });
      const { statusCode } = response;
      const text = await response.body.text();
      if (statusCode === 404) return undefined;
      if (statusCode < 200 || statusCode > 299) throw refuse(`answered with status ${statusCode}`);
      return method === 'DELETE' ? {} : (JSON.parse(text) as unknown);
    } catch (error) {
      if (error instanceof AutoPayError) throw error;
      // Never the error's own message: it may repeat what was sent.
      if (signal.aborted) throw refuse(`gave no answer within ${timeoutMs} ms`);
      if (error instanceof SyntaxError) throw refuse('gave no JSON');
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      throw refuse(`could not be reached (${code.slice(0, 60)})`);
    }
  }

  return {
    async pin({ cid, name }) {
      // A crash may have lost the answer to an earlier request, and some services refuse a second one.
      const listed = await ask('GET', `?cid=${encodeURIComponent(cid)}&status=queued,pinning,pinned&limit=10`);
      const known =
        listed === undefined ? undefined : read(listSchema, listed).results.find(({ pin }) => pin.cid === cid);
      if (known) return pinOf(known);
      const added = read(statusSchema, await ask('POST', '', { cid, name, ...(origins.length > 0 && { origins }) }));
      if (added.pin.cid === cid) return pinOf(added);
      throw new AutoPayError('verification_failed', `The pinning service took ${cid} for another CID.`);
    },
    async find(requestId) {
      const found = await ask('GET', `/${encodeURIComponent(requestId)}`);
      return found === undefined ? undefined : pinOf(read(statusSchema, found));
    },
    remove: async (requestId) => void (await ask('DELETE', `/${encodeURIComponent(requestId)}`)),
    close: () => dispatcher.destroy(),
  };
}

function pinOf({ requestid, status }: z.output<typeof statusSchema>): ServicePin {
  return { requestId: requestid, state: status };
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refuse('gave an answer that is none of its API');
}

function refuse(what: string): AutoPayError {
  return new AutoPayError('ipfs_unavailable', `The pinning service ${what}.`);
}
