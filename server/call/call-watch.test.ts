import { expect, test } from 'vitest';
import { limits, MemorySink } from './call-fixtures.ts';
import { CallWatch } from './call-watch.ts';

function watch() {
  const sink = new MemorySink();
  return { sink, watched: new CallWatch({ sink, limits, durable: Promise.resolve() }) };
}

test('what only waits is told that the client has gone, whether it asked before or after', () => {
  const early = watch();
  const { leaving } = early.watched;
  expect(leaving.aborted).toBe(false);
  early.sink.leave();
  expect(leaving.aborted).toBe(true);
  early.watched.end();

  const late = watch();
  late.sink.leave();
  expect(late.watched.leaving.aborted).toBe(true);
  // The upstream is read on.
  expect(late.watched.signal.aborted).toBe(false);
  late.watched.end();
});
