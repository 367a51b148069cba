import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BudgetChange } from './background-ledger.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function change(block: number, logIndex: number, overrides: Partial<BudgetChange> = {}): BudgetChange {
  const subject = `0x${'ab'.repeat(32)}` as const;
  return { block, logIndex, kind: 'model', subject, fromDay: 20_000, value: 2n ** 127n, ...overrides };
}

test('keeps changes in the order of the chain, and gives them page by page', () => {
  const start = [
    change(5, 3, { kind: 'default', subject: '0x', fromDay: 0 }),
    change(5, 11, { kind: 'rate', subject: `0x${'cd'.repeat(20)}` }),
  ];
  const late = [change(7, 0, { value: null }), change(10, 2)];
  books.run('replaceBudgetChanges', { from: 6, to: 20, changes: late });
  books.run('replaceBudgetChanges', { from: 0, to: 5, changes: start });
  expect(books.run('listBudgetChanges', {})).toEqual([...start, ...late]);
  expect(books.run('listBudgetChanges', { after: { block: 5, logIndex: 3 } })).toEqual([start[1], ...late]);
  expect(books.run('listBudgetChanges', { after: { block: 10, logIndex: 2 } })).toEqual([]);
});

test('replaces what the same blocks said before, and nothing else', () => {
  const [kept, undone, above] = [change(4, 0), change(5, 0), change(9, 0)];
  books.run('replaceBudgetChanges', { from: 0, to: 9, changes: [kept, undone, above] });
  books.run('replaceBudgetChanges', { from: 5, to: 8, changes: [change(6, 1)] });
  books.run('replaceBudgetChanges', { from: 5, to: 8, changes: [change(6, 1)] });
  expect(books.run('listBudgetChanges', {})).toEqual([kept, change(6, 1), above]);
});
