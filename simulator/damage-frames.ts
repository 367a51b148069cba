import type { FaultName } from './directives.ts';
import type { Frame } from './write-frames.ts';
import { toEvent } from './write-frames.ts';

/** What is done to the frames. */
export interface DamageOptions {
  faults: ReadonlyMap<FaultName, number>;
  stream: boolean;
  /** The event of `error-after`. */
  errorFrame: () => Frame;
}

/** Applies the faults that change a body's bytes. Those that change its timing or the connection are in send-frames. */
export function damageFrames(frames: readonly Frame[], { faults, stream, errorFrame }: DamageOptions): Frame[] {
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
