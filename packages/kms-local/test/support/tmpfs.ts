import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { tempDirectory } from './keyring.ts';

const mountable = ((): boolean => {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
})();

/**
 * A test that needs a real, small file system. Where this process may not mount
 * one it is skipped, and says so; in CI it runs and fails instead.
 */
export function testOnTmpfs(name: string, body: () => Promise<void>): void {
  test.skipIf(!mountable && process.env['CI'] === undefined)(name, body);
}

/** A directory of mode 0700 on a tmpfs with those mount options, for the length of the test. */
export function tmpfs(options: string): string {
  const directory = tempDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', directory], { stdio: 'pipe' });
  } catch {
    expect.fail('This machine does not permit mounting a tmpfs.');
  }
  onTestFinished(() => {
    execFileSync('umount', [directory]);
  });
  return directory;
}

export function remount(directory: string, options: string): void {
  execFileSync('mount', ['-o', `remount,${options}`, directory]);
}
