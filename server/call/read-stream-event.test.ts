import { expect, test } from 'vitest';
import { decodeBytes } from './byte-string.ts';
import { readStreamEvent } from './read-stream-event.ts';

function read(text: string): object {
  const event = readStreamEvent(Buffer.from(text).toString('latin1'));
  return Object.fromEntries(Object.entries(event).map(([key, value]) => [key, decodeBytes(value)]));
}

test('a chunk goes on as it came', () => {
  expect(read('data: {"a":"ä"}\n\n')).toEqual({ kind: 'chunk', data: '{"a":"ä"}', event: 'data: {"a":"ä"}\n\n' });
  expect(read('data:{"a":1}\n\n')).toEqual({ kind: 'chunk', data: '{"a":1}', event: 'data:{"a":1}\n\n' });
});

test('only the data of an event goes on: named events break OpenAI’s clients', () => {
  expect(read('event: x\nid: 1\nretry: 5\ndata: {"a":1}\n\n')).toEqual({
    kind: 'chunk',
    data: '{"a":1}',
    event: 'data: {"a":1}\n\n',
  });
});

test('data over several lines is one text', () => {
  expect(read('data: {"a":\ndata: 1}\n\n')).toEqual({
    kind: 'chunk',
    data: '{"a":\n1}',
    event: 'data: {"a":\ndata: 1}\n\n',
  });
});

test('[DONE] in its forms', () => {
  for (const text of ['data: [DONE]\n\n', 'data:[DONE]\n\n', 'event: done\ndata: [DONE] \n\n']) {
    expect(read(text)).toEqual({ kind: 'done' });
  }
});

test('comments go on, but none that could be the relay’s own', () => {
  expect(read(': ping\n\n')).toEqual({ kind: 'comment', event: ': ping\n\n' });
  expect(read(': autopay-receipt AAAA\n\n')).toEqual({ kind: 'nothing' });
  expect(read(': autopay-receipt AAAA\ndata: {"a":1}\n\n')).toMatchObject({ event: 'data: {"a":1}\n\n' });
});

test('events without data are nothing', () => {
  expect(read('event: ping\n\n')).toEqual({ kind: 'nothing' });
  expect(read('data:\n\n')).toEqual({ kind: 'nothing' });
  expect(read('id: 7\n: ping\n\n')).toEqual({ kind: 'nothing' });
});
