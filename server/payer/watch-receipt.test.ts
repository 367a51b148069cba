import { expect, it } from 'vitest';
import { answer } from './payer-fixture.ts';
import { watchReceipt, type WatchedEnd } from './watch-receipt.ts';

function watch(chunks: readonly string[]) {
  const ends: WatchedEnd[] = [];
  return { ends, watched: watchReceipt(answer(200, {}, chunks), (end) => ends.push(end)) };
}

it('tells once how an answer ended, and passes every byte', async () => {
  const { ends, watched } = watch(['data: 1\n\n', ': autopay-', 'receipt R\n\ndata: [DONE]\n\n']);
  let text = '';
  for await (const bytes of watched.body) text += Buffer.from(bytes).toString();
  watched.destroy();
  expect(text).toBe('data: 1\n\n: autopay-receipt R\n\ndata: [DONE]\n\n');
  expect(ends).toEqual([{ receipt: 'R', isWhole: true }]);
});

it('an answer that is left, or never read, is not whole; what was seen by then counts', async () => {
  const left = watch(['data: 1\n\n: autopay-receipt R\n\n', 'data: [DONE]\n\n']);
  for await (const _ of left.watched.body) break;
  expect(left.ends).toEqual([{ receipt: 'R', isWhole: false }]);
  const unread = watch(['x']);
  unread.watched.destroy();
  expect(unread.ends).toEqual([{ receipt: null, isWhole: false }]);
});
