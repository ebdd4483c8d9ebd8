import { configDefaults, mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

export default mergeConfig(base, {
  test: {
    globalSetup: ['test/global-setup.ts'],
    exclude: [...configDefaults.exclude, 'test/hsm/**'],
    // What needs a token is run, and its coverage counted, by vitest.hsm.config.ts.
    coverage: { exclude: ['src/pkcs11/**'] },
  },
});
