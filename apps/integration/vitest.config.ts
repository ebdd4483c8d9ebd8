import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

export default mergeConfig(base, {
  test: {
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 300_000,
    // There is no code here to cover: what runs is what the packages have built.
    coverage: { enabled: false },
  },
});
