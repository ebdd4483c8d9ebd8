import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { concatBytes, encodeUtf8 } from '@keyfold/core/provider';
import type { FileSystemContext } from './context.ts';
import { attempt, unless } from './fs-errors.ts';
import { claimPath, movedToken, newToken, takenPath, temporaryPath, type Token } from './internal-names.ts';
import type { Location } from './paths.ts';
import { currentState } from './state.ts';

/**
 * A deleted object, for as long as it takes to remove it: a delete is a
 * replacement by a tombstone (compare-and-swap.ts), because a rename can be
 * made conditional and an unlink cannot. Readers treat it as absent.
 */
const MAGIC = concatBytes(Uint8Array.of(0x8f), encodeUtf8('KF-tombstone-1\n', 'the magic'));

export const TOMBSTONE_SIZE = 32;

/** Random, so that its etag is that of no other state. */
export function newTombstone(): Uint8Array {
  return concatBytes(MAGIC, randomBytes(TOMBSTONE_SIZE - MAGIC.byteLength));
}

export function isTombstone(bytes: Uint8Array): boolean {
  return bytes.byteLength === TOMBSTONE_SIZE && MAGIC.every((byte, index) => bytes[index] === byte);
}

/**
 * Takes the tombstone `etag` away from the object's name. The token is a
 * directory, and only the one who made it renames the tombstone into it, once.
 * Whoever is in a hurry revokes it with rmdir: then that rename has no target
 * any more, however late it comes, and cannot take what stands there by then.
 * @returns whether it was this call that removed it
 */
export async function retire(context: FileSystemContext, location: Location, etag: string): Promise<boolean> {
  const doing = `remove the tombstone of object "${location.name}"`;
  const wrapper = temporaryPath(location.directory);
  const claim = claimPath(location, etag);
  const prepared = newToken(wrapper, 'gone');
  attempt(doing, location.path, () => {
    mkdirSync(wrapper, { mode: 0o700 });
    mkdirSync(prepared.path, { mode: 0o700 });
  });
  await context.step('retire:enclosed');
  if (!unless(['ENOTEMPTY', 'EEXIST'], doing, location.path, () => {
    renameSync(wrapper, claim);
  })) {
    rmdirSync(prepared.path);
    rmdirSync(wrapper);
    return false;
  }
  const token = movedToken(prepared, claim);
  let taken: boolean;
  try {
    await context.step('retire:claimed');
    const current = await currentState(location);
    await context.step('retire:verified');
    taken =
      current?.etag === etag &&
      unless(['ENOENT'], doing, location.path, () => {
    renameSync(location.path, takenPath(token.path));
  });
    await context.step('retire:taken');
  } finally {
    revoke(token, location);
    unless(['ENOENT', 'ENOTEMPTY', 'EEXIST'], doing, location.path, () => {
    rmdirSync(claim);
  });
  }
  await context.step('retire:cleaned');
  return taken;
}

/** Ends a token of `retire`, whether or not it has taken the tombstone. */
export function revoke(token: Token, location: Location): void {
  const doing = `settle the claim on object "${location.name}"`;
  if (unless(['ENOTEMPTY', 'EEXIST', 'ENOENT'], doing, location.path, () => {
    rmdirSync(token.path);
  })) return;
  unless(['ENOENT'], doing, location.path, () => {
    unlinkSync(takenPath(token.path));
  });
  unless(['ENOENT'], doing, location.path, () => {
    rmdirSync(token.path);
  });
}
