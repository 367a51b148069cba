import { buildAnswer } from './build-answer.ts';
import { addMembers, commitAnswer } from './commit-answer.ts';
import { damageFrames } from './damage-frames.ts';
import type { Directives } from './directives.ts';
import { parseModelName } from './models.ts';
import { parseDirectives } from './parse-directives.ts';
import type { Frame } from './write-frames.ts';
import type { Wire } from './wires/wire.ts';

/** Everything about a response that does not depend on when it is sent. */
export interface PreparedResponse {
  /** As it was asked for, directives included. */
  model: string;
  /** Of the answer. */
  id: string;
  directives: Directives;
  stream: boolean;
  frames: readonly Frame[];
  /** All frames in one, for responses without pace or fault; null when {@link needsCare}. */
  whole: Buffer | null;
  contentType: string;
  /** Bytes of all frames. */
  sizeBytes: number;
}

/** What a response is prepared from. */
export interface PrepareOptions {
  body: Buffer;
  /** SHA-256 of the body, hexadecimal. */
  bodyHash: string;
  /** Value of the `x-sim` header, or null. */
  header: string | null;
  /** Unix time in seconds for `created`, or null for one that follows from the hash. */
  createdS: number | null;
  wire: Wire;
}

/**
 * From request bytes to response bytes.
 *
 * @throws {WireError} whatever is wrong with the request
 */
export function prepareResponse(options: PrepareOptions): PreparedResponse {
  const { body, wire } = options;
  const request = wire.read(body);
  const { base, suffix } = parseModelName(request.model);
  const directives = parseDirectives({ suffix, header: options.header });
  const { faults } = directives;
  const { bodyHash, createdS } = options;
  const answer = buildAnswer({ request, directives, modelBase: base, bodyHash, createdS });
  const plain = wire.write(answer, { request, body, usage: !faults.has('no-usage') });
  const written = request.includeProof
    ? addMembers(plain, commitAnswer(answer, directives.evidence), { stream: request.stream })
    : plain;
  const frames = damageFrames(written, { faults, stream: request.stream, errorFrame: wire.errorFrame });
  const honest = request.stream ? 'text/event-stream; charset=utf-8' : 'application/json';
  return {
    ...{ model: request.model, id: answer.id },
    directives,
    stream: request.stream,
    frames,
    whole: needsCare(directives) ? null : Buffer.concat(frames.map((frame) => frame.bytes)),
    contentType: faults.has('wrong-content-type') ? 'text/plain; charset=utf-8' : honest,
    sizeBytes: frames.reduce((sum, frame) => sum + frame.bytes.length, 0),
  };
}

const BYTES_ONLY = new Set([
  'no-done',
  'no-usage',
  'malformed-chunk',
  'crlf',
  'empty',
  'wrong-content-type',
  'error-after',
]);

/** True when time, barrier or connection matter, so that one write of the whole body would not do. */
function needsCare({ latencyMs, tokensPerSecond, barrier, faults }: Directives): boolean {
  const paced = latencyMs > 0 || tokensPerSecond !== null || barrier !== null;
  return paced || [...faults.keys()].some((fault) => !BYTES_ONLY.has(fault));
}
