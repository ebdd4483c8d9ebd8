import { closeSync, constants, fsync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { attemptAsync } from './fs-errors.ts';

const fsyncAsync = promisify(fsync);

/** Makes the entries of a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await attemptAsync('make a directory durable', path, async () => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await fsyncAsync(fd);
    } finally {
      closeSync(fd);
    }
  });
}
