/**
 * Holds the table of docs/PAYMENTS.md against the tests: each cell names tests that exist or says "not shown", and each test
 * that is listed is named.
 */
import { checkTestTable, reportTestTable } from './tooling/check-test-table.ts';

const file = 'docs/PAYMENTS.md';
reportTestTable(file, await checkTestTable({ file, headings: 2, cells: 5 }));
