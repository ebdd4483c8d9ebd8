import { unlinkSync } from 'node:fs';
import { conflict } from '../conditions.ts';
import { swap } from './compare-and-swap.ts';
import type { FileSystemContext } from './context.ts';
import { discard, stage } from './durable-write.ts';
import { unless } from './fs-errors.ts';
import type { Location } from './paths.ts';
import { inspect } from './read.ts';
import { etagOf } from './state.ts';
import { syncDirectory } from './sync-directory.ts';
import { newTombstone, retire } from './tombstone.ts';

/** Whatever stands there. Resolves to whether anything did. */
export async function removeAny(context: FileSystemContext, location: Location): Promise<boolean> {
  if (!context.directories.exists(location.parents) || (await inspect(location)) !== 'object') return false;
  const removed = unless(['ENOENT'], `delete object "${location.name}"`, location.path, () => {
    unlinkSync(location.path);
  });
  if (!removed) return false;
  await context.step('delete:unlinked');
  await syncDirectory(location.directory);
  await context.step('directory:synced');
  return true;
}

/** Only in state `expected`. @throws KeyfoldError CONFLICT */
export async function removeState(
  context: FileSystemContext,
  location: Location,
  expected: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isObject = context.directories.exists(location.parents) && (await inspect(location)) === 'object';
  if (!isObject) throw conflict(location.name);
  const tombstone = newTombstone();
  const staged = await stage(context, location, tombstone, signal);
  try {
    await swap(context, location, expected, staged);
  } finally {
    discard(staged.path);
  }
  await context.step('unstaged');
  // The object is gone with the swap; a tombstone that stays is only untidy, and sweep's.
  await retire(context, location, etagOf(tombstone)).catch(() => false);
  await syncDirectory(location.directory);
  await context.step('directory:synced');
}
