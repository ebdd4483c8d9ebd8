import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Tests and workers run the built packages, which must be those of the sources that stand there. */
export default function buildPackages(): void {
  const root = join(import.meta.dirname, '../../..');
  const projects = ['kms-aws', 'kms-gcp', 'kms-local', 'store-checkpoint', 'testkit'].map((name) => join(root, 'packages', name, 'tsconfig.build.json'));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...projects], { stdio: 'inherit' });
}
