/**
 * Holds the table of docs/LIES.md against the tests: each row names tests that exist, and each test that is listed is named. That the
 * words are those of the messages, the tests assert themselves (test/audit/catch-book.ts).
 */
import { checkTestTable, reportTestTable } from './tooling/check-test-table.ts';

const file = 'docs/LIES.md';
reportTestTable(file, await checkTestTable({ file, headings: 2, cells: 1 }));
