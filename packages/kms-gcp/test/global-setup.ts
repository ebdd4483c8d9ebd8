import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The tests that start processes load the built package: it must be the one under test. */
export default function buildPackage(): void {
  const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url));
  const project = fileURLToPath(new URL('../tsconfig.build.json', import.meta.url));
  execFileSync(process.execPath, [tsc, '-b', project], { stdio: 'inherit' });
}
