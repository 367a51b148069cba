import { expect, test } from 'vitest';
import { decodeBytes } from '../byte-string.ts';
import { readTypedEvent } from './read-typed-event.ts';

const read = (text: string) => readTypedEvent(Buffer.from(text).toString('latin1'));
const shown = (text: string) => {
  const event = read(text);
  return event.kind === 'nothing' ? '' : decodeBytes(event.bytes);
};
const plain = 'event: ping\ndata: {"type":"ping"}\n\n';

test('an event goes on as the same bytes', () => {
  expect(read(plain)).toEqual({ kind: 'event', type: 'ping', value: { type: 'ping' }, bytes: plain });
  const foreign = 'event: ping\ndata: {"type":"ping","text":"€"}\n\n';
  expect(read(foreign)).toMatchObject({ value: { text: '€' } });
  expect(shown(foreign)).toBe(foreign);
});

test('its name is its type, and nothing else goes along', () => {
  for (const text of [
    'data: {"type":"ping"}\n\n',
    'event: payment-receipt\ndata: {"type":"ping"}\n\n',
    ': autopay-receipt x\nid: 7\nevent: ping\nretry: 9\ndata:{"type":"ping"}\n\n',
  ]) {
    expect(shown(text)).toBe(plain);
  }
  expect(shown('event: ping\ndata: {"type":\ndata: "ping"}\n\n')).toBe(
    'event: ping\ndata: {"type":\ndata: "ping"}\n\n',
  );
});

test('comments pass, but for those that speak for the relay; `[DONE]` says nothing here', () => {
  expect(shown(': alive\n\n')).toBe(': alive\n\n');
  expect(shown(': autopay-receipt x\n\n')).toBe('');
  expect(shown('data: [DONE]\n\n')).toBe('');
});

test.each([
  'data: {"type":"payment-receipt"}\n\n',
  'data: {}\n\n',
  'data: {"type":7}\n\n',
  'data: {\n\n',
  'data: []\n\n',
])('what is no typed event breaks the stream: %j', (text) => {
  expect(() => read(text)).toThrow('The provider sent');
});
