import type { Choice } from '../build-choice.ts';
import { isObject, type JsonObject } from '../parse-request.ts';
import type { Frame } from '../write-frames.ts';
import { WireError } from '../wire-error.ts';

/** How a stream fails that `fault=error-after` breaks. */
export const midStreamFault = { message: 'The simulated provider failed mid-stream.', type: 'server_error' };

/** The object of a body. @throws {WireError} 400 */
export function parseBody(body: Buffer): JsonObject {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new WireError({ status: 400, message: 'The body must be a JSON object.' });
}

/** A body of chat completions, from members that may be undefined. */
export function toChatBody(members: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(members));
}

/** A frame with one named event, its type in its data too. */
export function typedFrame(data: JsonObject & { type: string }, tokens = 0): Frame {
  return { bytes: Buffer.from(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`), tokens };
}

/** The text parts of a content, as chat completions have them: of other parts, an image for each. */
export function toChatContent(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  return content.map((part: unknown) => {
    if (isObject(part) && typeof part.text === 'string') return { type: 'text', text: part.text };
    return { type: 'image_url', image_url: { url: 'data:' } };
  });
}

/** The first choice; there is always one. */
export function firstOf([choice]: readonly Choice[]): Choice {
  if (!choice) throw new WireError({ status: 500, message: 'The simulator made no answer.', type: 'server_error' });
  return choice;
}
