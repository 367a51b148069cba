/** Holds the table of docs/GATEWAY.md against the tests: each line names tests that exist, and each test that is listed is named. */
import { checkTestTable, reportTestTable } from './tooling/check-test-table.ts';

const file = 'docs/GATEWAY.md';
reportTestTable(file, await checkTestTable({ file, headings: 2, cells: 1 }));
