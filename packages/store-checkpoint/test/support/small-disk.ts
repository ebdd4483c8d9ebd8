import { execFileSync } from 'node:child_process';
import { type TestContext, onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';

/** The root of a file system of 4 MiB. Where this process may not mount one the test is skipped; in CI it fails. */
export function smallDisk(context: TestContext): string {
  const path = temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'pipe' });
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    context.skip('mounting a small file system takes the right to mount');
  }
  onTestFinished(() => {
    execFileSync('umount', [path]);
  });
  return path;
}
