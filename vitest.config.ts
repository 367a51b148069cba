import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'artifacts/**', 'cache/**'],
    // A bound for what hangs, not a measure: two busy cores are ten times slower than idle ones.
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
