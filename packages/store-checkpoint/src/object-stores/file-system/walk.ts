import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted, type ObjectInfo } from '@keyfold/core/provider';
import type { FileSystemContext } from './context.ts';
import { errno, storageError } from './fs-errors.ts';
import { isFileSegment, type Location } from './paths.ts';
import { inspect } from './read.ts';
import { TOMBSTONE_SIZE } from './tombstone.ts';

/** Enough to keep the thread pool busy. */
const AT_ONCE = 32;

/** The entries of a directory, or none when it is gone. */
export async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (errno(error) === 'ENOENT') return [];
    throw storageError(error, 'list a directory', path);
  }
}

/**
 * Objects below `parents` whose names begin with `prefix`, in ascending order.
 * Only the entries of the directories on the way down are held.
 */
export async function* walk(
  context: FileSystemContext,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const parents = prefix.split('/');
  const beginning = parents.pop() ?? '';
  if (context.directories.exists(parents)) yield* walkDirectory(context, parents, beginning, signal);
}

async function* walkDirectory(
  context: FileSystemContext,
  parents: readonly string[],
  beginning: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo, void, undefined> {
  throwIfAborted(signal);
  const entries = (await entriesOf(join(context.directories.root, ...parents)))
    .filter((entry) => isFileSegment(entry.name) && entry.name.startsWith(beginning))
    .filter((entry) => entry.isFile() || entry.isDirectory())
    // "a-b" and "a.b" come before "a/b": a directory is sorted by what its objects' names go on with.
    .map((entry) => ({ segment: entry.name, inner: entry.isDirectory(), key: entry.isDirectory() ? `${entry.name}/` : entry.name }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  for (let next = 0; next < entries.length; ) {
    const batch = entries.slice(next, next + AT_ONCE);
    const firstInner = batch.findIndex((entry) => entry.inner);
    const files = firstInner === -1 ? batch : batch.slice(0, firstInner);
    next += files.length;
    const found = await Promise.all(
      files.map((entry) => describeFile(context.directories.locate([...parents, entry.segment].join('/')))),
    );
    for (const info of found) {
      throwIfAborted(signal);
      if (info !== undefined) yield info;
    }
    const inner = firstInner === -1 ? undefined : batch[firstInner];
    if (inner !== undefined) {
      next += 1;
      yield* walkDirectory(context, [...parents, inner.segment], '', signal);
    }
  }
}

/** Or undefined when it vanished meanwhile, or is a tombstone. */
async function describeFile(location: Location): Promise<ObjectInfo | undefined> {
  try {
    const stats = await lstat(location.path);
    if (!stats.isFile()) return undefined;
    if (stats.size === TOMBSTONE_SIZE && (await inspect(location)) !== 'object') return undefined;
    return { name: location.name, size: stats.size, lastModified: Math.floor(stats.mtimeMs) };
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw storageError(error, `look at object "${location.name}"`, location.path);
  }
}
