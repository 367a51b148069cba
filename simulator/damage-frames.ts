import type { FaultName } from './directives.ts';
import { WireError } from './wire-error.ts';
import type { Frame } from './write-frames.ts';
import { toEvent } from './write-frames.ts';

/** What is done to the frames. */
export interface DamageOptions {
  faults: ReadonlyMap<FaultName, number>;
  stream: boolean;
}

/** Applies the faults that change a body's bytes. Those that change its timing or the connection are in send-frames. */
export function damageFrames(frames: readonly Frame[], { faults, stream }: DamageOptions): Frame[] {
  if (faults.has('empty')) return [];
  let result = [...frames];
  if (faults.has('malformed-chunk')) result = breakJson(result, stream);
  if (!stream) return result;
  const failAfter = faults.get('error-after');
  if (failAfter !== undefined) result = [...result.slice(0, failAfter), errorFrame()];
  else if (faults.has('no-done')) result = result.slice(0, -1);
  return faults.has('crlf') ? result.map(endLinesWithCrLf) : result;
}

function breakJson(frames: readonly Frame[], stream: boolean): Frame[] {
  // The third event is the second piece of text: late enough that a reader has begun to answer its own client.
  const victim = stream ? Math.min(2, frames.length - 1) : 0;
  return frames.map((frame, index) => {
    if (index !== victim) return frame;
    if (!stream) return { ...frame, bytes: frame.bytes.subarray(0, frame.bytes.length >> 1) };
    return { ...frame, bytes: toEvent(`${frame.bytes.toString('utf8').slice('data: '.length, -10)}`) };
  });
}

function endLinesWithCrLf(frame: Frame): Frame {
  // JSON escapes line feeds, so the only ones are those that end lines.
  return { ...frame, bytes: Buffer.from(frame.bytes.toString('utf8').replaceAll('\n', '\r\n')) };
}

function errorFrame(): Frame {
  const error = new WireError({
    status: 500,
    message: 'The simulated provider failed mid-stream.',
    type: 'server_error',
  });
  const { message, type, param, code } = error;
  return { bytes: toEvent(JSON.stringify({ error: { message, type, param, code } })), tokens: 0 };
}
