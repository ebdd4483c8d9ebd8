import { defineConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** The tests against a token, for scripts/check-pkcs11.mjs: they need SoftHSM, a C compiler and pkcs11js, compiled. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/hsm/**/*.test.ts', 'test/pkcs11/**/*.test.ts'],
    // A module is initialised once a process, so every file has a process of its own.
    pool: 'forks',
    isolate: true,
    globalSetup: ['test/hsm/global-setup.ts'],
    reporters: ['default', ['json', { outputFile: 'coverage/hsm/tests.json' }]],
    coverage: { ...base.test?.coverage, include: ['src/pkcs11/**/*.ts'], reportsDirectory: 'coverage/hsm' },
  },
});
