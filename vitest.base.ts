import { defineConfig } from 'vitest/config';

/** What every package's tests share; coverage below a threshold fails the run. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Generous: a busy machine is slow, and a test that hangs is found all the same.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // scripts/count-tests.mjs reads the second one.
    reporters: ['default', ['json', { outputFile: 'coverage/tests.json' }]],
    coverage: {
      enabled: true,
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary', 'text'],
      thresholds: { lines: 95, branches: 95, functions: 95, statements: 95 },
    },
  },
});
