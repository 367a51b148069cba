import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBytes } from './byte-string.ts';
import { OversizedEvent, SseSplitter } from './sse-splitter.ts';

function split(chunks: readonly (string | Uint8Array)[], maxEventBytes = 1000): string[] {
  const splitter = new SseSplitter({ maxEventBytes });
  return chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk).toString('latin1'))).map(decodeBytes);
}

test('gives events as soon as their empty line has come', () => {
  const splitter = new SseSplitter({ maxEventBytes: 1000 });
  expect(splitter.push('data: 1\n')).toEqual([]);
  expect(splitter.hasPending).toBe(true);
  expect(splitter.push('\ndata: 2\n\ndata')).toEqual(['data: 1\n\n', 'data: 2\n\n']);
  expect(splitter.hasPending).toBe(true);
});

test('does not wait for the LF after a CR, and does not take it for a line of its own', () => {
  expect(split(['data: 1\r\n\r', '\ndata: 2\r\n\r\n'])).toEqual(['data: 1\n\n', 'data: 2\n\n']);
  const splitter = new SseSplitter({ maxEventBytes: 1000 });
  expect(splitter.push('data: 1\r\n\r')).toHaveLength(1);
  expect(splitter.push('\n')).toHaveLength(0);
  expect(splitter.hasPending).toBe(false);
});

test('blank lines alone make no event', () => {
  expect(split(['\n\n\n', '\r\n\r\n', 'data: 1\n\n\n\n'])).toEqual(['data: 1\n\n']);
});

test('every cut of the bytes gives the same events, whatever ends the lines', () => {
  const line = fc.constantFrom('data: {"a":1}', ': ping', 'event: x', 'data: äöü €🙂', 'data:');
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
  const event = fc.tuple(fc.array(line, { minLength: 1, maxLength: 3 }), lineEnd);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), fc.array(fc.nat(200), { maxLength: 12 }), (events, cuts) => {
      const bytes = Buffer.from(events.map(([lines, end]) => [...lines, '', ''].join(end)).join(''));
      const points = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = points.slice(1).map((end, index) => bytes.subarray(points[index], end));
      expect(split(chunks)).toEqual(events.map(([lines]) => [...lines, '', ''].join('\n')));
    }),
    { numRuns: 1000 },
  );
});

test('an event beyond the bound is refused, in one piece or in many', () => {
  expect(split([`${'x'.repeat(8)}\n\n`], 10)).toHaveLength(1);
  expect(() => split([`${'x'.repeat(9)}\n\n`], 10)).toThrow(OversizedEvent);
  expect(() => split(['x'.repeat(6), 'x'.repeat(5)], 10)).toThrow(OversizedEvent);
});
