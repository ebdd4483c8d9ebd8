import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { type TestContext, onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';

/** A file system whose free blocks and files can be set to any number. */
export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounted for the length of the test. Where this process may not mount, the test is skipped; in CI it fails. */
  static mount(context: TestContext): SmallDisk {
    const path = temporaryDirectory();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=700,size=64m,nr_inodes=1000', 'tmpfs', path], { stdio: 'pipe' });
    } catch (error) {
      if (process.env['CI'] !== undefined) throw error;
      context.skip('mounting a small file system takes the right to mount');
    }
    onTestFinished(() => {
      execFileSync('umount', [path]);
    });
    return new SmallDisk(path);
  }

  /** Leaves exactly so many blocks free, and any number of files. */
  leaveBlocks(free: number): void {
    const { blocks, bfree, bsize } = statfsSync(this.path);
    this.#remount(`size=${(blocks - bfree + free) * bsize},nr_inodes=1000`);
  }

  /** Leaves room for exactly so many more files and links, and any number of blocks. */
  leaveFiles(free: number): void {
    const { files, ffree } = statfsSync(this.path);
    this.#remount(`size=64m,nr_inodes=${files - ffree + free}`);
  }

  #remount(options: string): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.path], { stdio: 'pipe' });
  }
}
