import type { JsonObject } from '../../../protocol/text/json-object.ts';
import { decodeBytes, type ByteString } from '../byte-string.ts';
import { readStreamEvent } from '../read-stream-event.ts';
import { brokenChunk, parseChunk } from '../stream-meter.ts';

/** An event of a stream whose events say in `type` what they are, as those of the Responses and the Messages API. */
export type TypedEvent =
  | { kind: 'event'; type: string; value: JsonObject; bytes: ByteString }
  | { kind: 'comment'; bytes: ByteString }
  | { kind: 'nothing' };

/** No name of the relay's own, such as `payment-receipt`: no provider can speak for the relay. */
const typeName = /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*$/;

/**
 * Reads one event, line ends as LF, empty line included. What goes on has its type as its name and nothing else beside its data: one
 * that came like that goes on as the same bytes.
 * @throws BrokenStream if it is not JSON, or has no type.
 */
export function readTypedEvent(block: ByteString): TypedEvent {
  const event = readStreamEvent(block);
  if (event.kind === 'comment') return { kind: 'comment', bytes: event.event };
  // Some servers send `[DONE]` here too; what ends such a stream is an event of its own.
  if (event.kind !== 'chunk') return { kind: 'nothing' };
  const value = parseChunk(decodeBytes(event.data));
  const { type } = value;
  if (typeof type !== 'string' || !typeName.test(type)) throw brokenChunk('The provider sent an event without a type.');
  const data = event.data.replaceAll('\n', '\ndata: ');
  return { kind: 'event', type, value, bytes: `event: ${type}\ndata: ${data}\n\n` };
}
