import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import buildPackage from '../global-setup.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** SoftHSM's library, as it is. */
    softHsm: string;
    /** The same behind fixtures/faulty-module.c. */
    faultyModule: string;
  }
}

/** Debian's place; another one is named by the environment. */
const SOFTHSM = process.env['KEYFOLD_SOFTHSM'] ?? '/usr/lib/softhsm/libsofthsm2.so';

/** These tests need a real token and never pass without: scripts/check-pkcs11.mjs installs what is missing. */
export default function prepare(project: TestProject): () => void {
  const require = createRequire(import.meta.url);
  if (!existsSync(SOFTHSM)) throw new Error(`There is no SoftHSM at ${SOFTHSM}. Run: node scripts/check-pkcs11.mjs`);
  require('pkcs11js');
  buildPackage();
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-pkcs11-'));
  const faultyModule = join(directory, 'faulty-module.so');
  const source = fileURLToPath(new URL('fixtures/faulty-module.c', import.meta.url));
  const headers = join(dirname(require.resolve('pkcs11js')), 'includes');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-o', faultyModule, source, `-I${headers}`, '-ldl'], { stdio: 'inherit' });
  project.provide('softHsm', SOFTHSM);
  project.provide('faultyModule', faultyModule);
  return () => {
    rmSync(directory, { recursive: true, force: true });
  };
}
