import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'artifacts/**', 'cache/**'],
    testTimeout: 20_000,
    hookTimeout: 120_000,
  },
});
