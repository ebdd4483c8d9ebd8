import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

export default mergeConfig(base, {
  test: {
    coverage: {
      // The entries of processes: they run for real, where coverage does not see them.
      exclude: ['src/main.ts', 'src/job-process.ts'],
    },
  },
});
