import { decodeBytes, type ByteString } from './byte-string.ts';

/** What an event of an upstream's stream is. */
export type StreamEvent =
  /** `data: [DONE]`. */
  | { kind: 'done' }
  /** A chunk: its JSON text, and the event as it may go on. */
  | { kind: 'chunk'; data: ByteString; event: ByteString }
  /** A comment that keeps the connection alive. */
  | { kind: 'comment'; event: ByteString }
  /** Nothing that concerns the client. */
  | { kind: 'nothing' };

const done = '[DONE]';

/**
 * Reads one event, line ends as LF, empty line included. Only data and harmless comments go on: names, ids and retry
 * times of events are dropped, since OpenAI's clients break on named events, and so is what looks like a comment of the
 * relay's own, so that no provider can speak for the relay.
 */
export function readStreamEvent(event: ByteString): StreamEvent {
  const isOneLine = event.indexOf('\n') === event.length - 2;
  if (isOneLine && event.startsWith('data:')) return describe(valueOfLine(event.slice(0, -2)), event);
  const lines = event.split('\n');
  const values = lines.filter((line) => line === 'data' || line.startsWith('data:')).map(valueOfLine);
  if (values.length > 0) return describe(values.join('\n'), writeEvent(values.join('\n')));
  const isComment = lines.every((line) => line === '' || line.startsWith(':'));
  return isComment && !event.includes('autopay') ? { kind: 'comment', event } : { kind: 'nothing' };
}

/** An event with `data`, one line of it after the other. */
export function writeEvent(data: ByteString): ByteString {
  return `data: ${data.replaceAll('\n', '\ndata: ')}\n\n`;
}

function describe(data: ByteString, event: ByteString): StreamEvent {
  if (data.length < 16) {
    const text = decodeBytes(data).trim();
    if (text === done) return { kind: 'done' };
    if (text === '') return { kind: 'nothing' };
  }
  return { kind: 'chunk', data, event };
}

function valueOfLine(line: ByteString): ByteString {
  const start = 'data:'.length;
  return line.slice(line[start] === ' ' ? start + 1 : start);
}
