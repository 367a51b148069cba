import { expect, test } from 'vitest';
import { countHardhatTests, countVitestTests } from './count-tests.ts';

test('reads the summary of the Solidity runner and of Mocha', () => {
  expect(countHardhatTests('  ✔ test_X()\n\n\n  121 passing\n\n')).toEqual({ passed: 121, failed: 0, skipped: 0 });
  const mocha =
    '  \u001b[32m 3 passing\u001b[39m (2s)\n  \u001b[36m 1 pending\u001b[39m\n  \u001b[31m 2 failing\u001b[39m\n';
  expect(countHardhatTests(mocha)).toEqual({ passed: 3, failed: 2, skipped: 1 });
});

test('reads the summary of Vitest, in colour too', () => {
  const output =
    ' Test Files  1 failed | 2 passed (3)\n \u001b[2m     Tests \u001b[22m 4 failed | 17 passed | 1 skipped (22)\n   Start at 1\n';
  expect(countVitestTests(output)).toEqual({ passed: 17, failed: 4, skipped: 1 });
});

test('counts nothing where there is no summary', () => {
  expect(countHardhatTests('compilation failed')).toEqual({ passed: 0, failed: 0, skipped: 0 });
  expect(countVitestTests('Tests are great')).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
