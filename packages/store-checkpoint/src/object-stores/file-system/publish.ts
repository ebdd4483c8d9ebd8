import { linkSync, lstatSync, renameSync } from 'node:fs';
import { KeyfoldError, isKeyfoldError, type PutCondition } from '@keyfold/core/provider';
import { alreadyExists, conflict, sameContent } from '../conditions.ts';
import { swap } from './compare-and-swap.ts';
import type { FileSystemContext } from './context.ts';
import type { Staged } from './durable-write.ts';
import { attempt, unless } from './fs-errors.ts';
import type { Location } from './paths.ts';
import { inspect } from './read.ts';
import { assertRegular, currentState } from './state.ts';
import { TOMBSTONE_SIZE } from './tombstone.ts';

/** Each further attempt means that another writer came and went. */
const ATTEMPTS = 64;

/**
 * Refuses before a byte is written what would be refused after.
 * @throws KeyfoldError ALREADY_EXISTS, CONFLICT
 */
export async function assertPublishable(
  context: FileSystemContext,
  location: Location,
  condition: PutCondition,
): Promise<void> {
  if (condition.ifNoneMatch === undefined && condition.ifMatch === undefined) return;
  const isObject = context.directories.exists(location.parents) && (await inspect(location)) === 'object';
  if (condition.ifNoneMatch !== undefined && isObject) throw alreadyExists(location.name);
  if (condition.ifMatch !== undefined && !isObject) throw conflict(location.name);
}

/** Makes a staged body the object. The staged file may remain, and is the caller's to remove. */
export async function publish(
  context: FileSystemContext,
  location: Location,
  staged: Staged,
  condition: PutCondition,
): Promise<void> {
  const written = { ...location, path: staged.path };
  if (staged.size === TOMBSTONE_SIZE && typeof (await inspect(written)) !== 'string') {
    throw new KeyfoldError('INVALID_ARGUMENT', `Object "${location.name}" cannot have the content of a tombstone.`);
  }
  if (condition.ifNoneMatch !== undefined) {
    await publishNew(context, location, staged);
  } else if (condition.ifMatch !== undefined) {
    const content = await currentState(written);
    if (content?.etag === condition.ifMatch) throw sameContent(location.name);
    await swap(context, location, condition.ifMatch, staged);
  } else {
    await publishOver(context, location, staged);
  }
}

/** Over whatever stands there: the last writer wins. */
async function publishOver(context: FileSystemContext, location: Location, staged: Staged): Promise<void> {
  const doing = `write object "${location.name}"`;
  const standing = attempt(doing, location.path, () => lstatSync(location.path, { throwIfNoEntry: false }));
  // A rename would not follow a link, only replace it; but whoever made it meant something by it.
  if (standing !== undefined) assertRegular(standing, location);
  attempt(doing, location.path, () => {
    renameSync(staged.path, location.path);
  });
  await context.step('replace:renamed');
}

/** Only where nothing stands, or a tombstone. @throws KeyfoldError ALREADY_EXISTS */
async function publishNew(context: FileSystemContext, location: Location, staged: Staged): Promise<void> {
  for (let attempts = 0; attempts < ATTEMPTS; attempts += 1) {
    const linked = unless(['EEXIST'], `write object "${location.name}"`, location.path, () => {
      linkSync(staged.path, location.path);
    });
    if (linked) {
      await context.step('create:linked');
      return;
    }
    const standing = await inspect(location);
    if (standing === 'object') break;
    if (standing !== 'absent' && (await swapped(context, location, standing.tombstone, staged))) return;
  }
  throw alreadyExists(location.name);
}

async function swapped(
  context: FileSystemContext,
  location: Location,
  expected: string,
  staged: Staged,
): Promise<boolean> {
  try {
    await swap(context, location, expected, staged);
    return true;
  } catch (error) {
    if (isKeyfoldError(error, 'CONFLICT')) return false;
    throw error;
  }
}
