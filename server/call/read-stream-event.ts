/** What an event of an upstream's stream is. */
export type StreamEvent =
  /** `data: [DONE]`. */
  | { kind: 'done' }
  /** A chunk: its JSON text, and the event as it may go on. */
  | { kind: 'chunk'; data: Buffer; event: Buffer }
  /** A comment that keeps the connection alive. */
  | { kind: 'comment'; event: Buffer }
  /** Nothing that concerns the client. */
  | { kind: 'nothing' };

const lineFeed = 0x0a;
const space = 0x20;
const dataField = Buffer.from('data:');
const done = '[DONE]';

/**
 * Reads one event, line ends as LF, empty line included. Only data and harmless comments go on: names, ids and retry
 * times of events are dropped, since OpenAI's clients break on named events, and so is what looks like a comment of the
 * relay's own, so that no provider can speak for the relay.
 */
export function readStreamEvent(event: Buffer): StreamEvent {
  const isOneLine = event.indexOf(lineFeed) === event.length - 2;
  if (isOneLine && event.subarray(0, dataField.length).equals(dataField)) {
    const start = event[dataField.length] === space ? dataField.length + 1 : dataField.length;
    return describe(event.subarray(start, -2), event);
  }
  const lines = event.toString('utf8').split('\n');
  const values = lines.filter((line) => line === 'data' || line.startsWith('data:')).map(valueOfLine);
  if (values.length > 0) return describe(Buffer.from(values.join('\n')), writeEvent(values.join('\n')));
  const isComment = lines.every((line) => line === '' || line.startsWith(':'));
  return isComment && !event.includes('autopay') ? { kind: 'comment', event } : { kind: 'nothing' };
}

/** An event with `data`, one line of it after the other. */
export function writeEvent(data: string): Buffer {
  return Buffer.from(`data: ${data.replaceAll('\n', '\ndata: ')}\n\n`);
}

function describe(data: Buffer, event: Buffer): StreamEvent {
  if (data.length < 16) {
    const text = data.toString('utf8').trim();
    if (text === done) return { kind: 'done' };
    if (text === '') return { kind: 'nothing' };
  }
  return { kind: 'chunk', data, event };
}

function valueOfLine(line: string): string {
  const value = line.slice('data:'.length);
  return value.startsWith(' ') ? value.slice(1) : value;
}
