/**
 * Compare-and-swap of a file, without locks, on any POSIX file system with
 * atomic rename. A state is named by its etag, the hash of its content.
 *
 * To replace state E at path P by a new content:
 *
 *   1. compare   P is in state E, else CONFLICT
 *   2. enclose   a directory of a temporary name holds exactly one token: the new
 *                content, durable, under a random name `<r>.new`
 *   3. claim     rename that directory to `P.~E`. rename(2) replaces a directory
 *                only when it is empty, so while a token is in `P.~E` nobody else
 *                gets one in: the others complete that token, then CONFLICT
 *   4. verify    P is still in state E; else unlink the token, CONFLICT
 *   5. publish   rename the token `P.~E/<r>.new` to P
 *   6. clean     rmdir `P.~E`; fsync the directory; only now is it acknowledged
 *
 * Whoever finds a token in `P.~E` completes it by 4 and 5 (without the unlink);
 * whoever reads state E looks for one first, so that a writer who was killed
 * costs the next one no CONFLICT.
 *
 * Why it holds, however long anyone stops between two steps or if he never comes
 * back:
 *
 * (a) P leaves state E only by a rename that consumes the one token in `P.~E`:
 *     publishing moves it, retiring a tombstone (tombstone.ts) renames P into it.
 * (b) Suppose a process saw P in state E after token r was in `P.~E`. Then P stays
 *     in E until r leaves: by (a) it would take another token in `P.~E`, and none
 *     gets in beside r; a token that was there before r had left, for `P.~E` was
 *     empty when r came. So step 5, when r is still there, replaces E and nothing
 *     else: nothing newer can be rolled back.
 * (c) r is random and leaves once, so a publisher who comes late, after a helper
 *     and any number of later states, finds no source (ENOENT) and does nothing.
 * (d) r leaves by publish or by its owner's unlink, and either is one atomic call:
 *     whoever comes second gets ENOENT and so knows which it was. The owner
 *     always learns the truth; a success is never reported for what was dropped,
 *     nor a CONFLICT for what was published. (When sweep takes the token of an
 *     owner it believes dead, it leaves word: see wasVoided.)
 * (e) A stale writer, whose E was replaced long ago, may well claim `P.~E` (the
 *     directory went in step 6). He sees in step 4 that P is not in E and takes his
 *     token back. By (b) nobody can have published it while P was elsewhere.
 * (f) A power cut may lose any of the renames before the fsync in step 6, so wrapper
 *     and claim need none of their own: a token that is lost was not acknowledged,
 *     and one that comes back beside its published self is stale, as in (e).
 * (g) A crash leaves P in E or in the new state. With a token in `P.~E` the next
 *     writer of E completes it, so nobody is blocked; without, the directory is
 *     empty and taken over, or a temporary name that `sweep` removes.
 *
 * States are known by their content: one that returns byte for byte to a former
 * content is in that former state again, as the etag says. Records carry a
 * generation and do so in one case: a save that loses its data puts back the
 * record that it replaced. Whoever read that one may go on from it. Replacing a content by itself is refused, since both
 * of two writers could succeed. Unconditional puts and deletes break (a): a name
 * is to be written with conditions always or never.
 */
import { linkSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { conflict } from '../conditions.ts';
import type { FileSystemContext } from './context.ts';
import { discard, type Staged } from './durable-write.ts';
import { attempt, errno, storageError, unless } from './fs-errors.ts';
import {
  claimPath,
  movedToken,
  newToken,
  parseToken,
  temporaryPath,
  voidPath,
  type Token,
} from './internal-names.ts';
import type { Location } from './paths.ts';
import { currentState } from './state.ts';
import { syncDirectory } from './sync-directory.ts';
import { revoke } from './tombstone.ts';

/** Each further attempt means that others got on meanwhile. */
const ATTEMPTS = 64;

/**
 * Replaces state `expected` by the staged content, or says why not. The staged
 * file remains the caller's to remove, and the directory to sync.
 * @throws KeyfoldError CONFLICT and the storage codes
 */
export async function swap(
  context: FileSystemContext,
  location: Location,
  expected: string,
  staged: Staged,
): Promise<void> {
  if (!(await isIn(location, expected))) throw conflict(location.name);
  await context.step('swap:compared');
  const claim = claimPath(location, expected);
  const { wrapper, token } = await enclose(context, location, staged);
  let claimed = false;
  try {
    for (let attempts = 0; !claimed && attempts < ATTEMPTS && (await isIn(location, expected)); attempts += 1) {
      await context.step('swap:entering');
      claimed = enter(location, wrapper, claim);
      if (!claimed) await complete(context, location, expected);
    }
  } finally {
    if (!claimed) {
      discard(token.path);
      discardDirectory(wrapper);
    }
  }
  if (!claimed || !(await settle(context, location, expected, movedToken(token, claim)))) throw conflict(location.name);
}

/** Finishes what another writer has claimed for `state` and not yet published. Resolves to whether there was such a claim. */
export async function complete(context: FileSystemContext, location: Location, state: string): Promise<boolean> {
  const claim = claimPath(location, state);
  const token = findToken(location, claim);
  if (token === undefined) return false;
  await context.step('help:found');
  if (token.kind === 'gone') {
    revoke(token, location);
  } else if (await isIn(location, state)) {
    await context.step('help:verified');
    publish(location, token);
    await context.step('help:published');
    discardDirectory(claim);
    await syncDirectory(location.directory);
  }
  return true;
}

/** The one token of a claim, if there is one. */
export function findToken(location: Location, claim: string): Token | undefined {
  try {
    return readdirSync(claim)
      .map((entry) => parseToken(claim, entry))
      .find((token) => token !== undefined);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw storageError(error, `look at the claim on object "${location.name}"`, claim);
  }
}

/** Removes a claim or wrapper when it is empty; another may be using it. */
export function discardDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty, or gone: both are as good, and sweep removes what nobody uses.
  }
}

async function enclose(
  context: FileSystemContext,
  location: Location,
  staged: Staged,
): Promise<{ readonly wrapper: string; readonly token: Token }> {
  const wrapper = temporaryPath(location.directory);
  const token = newToken(wrapper, 'new');
  const doing = `replace object "${location.name}"`;
  try {
    attempt(doing, location.path, () => {
      mkdirSync(wrapper, { mode: 0o700 });
    });
    await context.step('swap:enclosed');
    // A second name, not the only one: a create may still need the first.
    attempt(doing, location.path, () => {
      linkSync(staged.path, token.path);
    });
    await context.step('swap:ready');
    return { wrapper, token };
  } catch (error) {
    discard(token.path);
    discardDirectory(wrapper);
    throw error;
  }
}

function enter(location: Location, wrapper: string, claim: string): boolean {
  return unless(['ENOTEMPTY', 'EEXIST'], `replace object "${location.name}"`, location.path, () => {
    renameSync(wrapper, claim);
  });
}

/** Steps 4 to 6 for one's own token. */
async function settle(
  context: FileSystemContext,
  location: Location,
  expected: string,
  token: Token,
): Promise<boolean> {
  let published: boolean;
  try {
    await context.step('swap:claimed');
    const current = await isIn(location, expected);
    await context.step('swap:verified');
    published = current ? publish(location, token) : !retract(location, token);
  } catch (error) {
    // Not knowing is no answer: either the token can be taken back, or it was published.
    if (retract(location, token)) {
      discardDirectory(claimPath(location, expected));
      throw error;
    }
    published = true;
  }
  await context.step('swap:published');
  discardDirectory(claimPath(location, expected));
  await context.step('swap:cleaned');
  return published;
}

/** Whether the token became current, by this call or by a helper's. */
function publish(location: Location, token: Token): boolean {
  const moved = unless(['ENOENT'], `replace object "${location.name}"`, location.path, () => {
    renameSync(token.path, location.path);
  });
  return moved || !wasVoided(location, token);
}

/** Whether the token was taken back; false when a helper had published it. */
function retract(location: Location, token: Token): boolean {
  const unlinked = unless(['ENOENT'], `replace object "${location.name}"`, location.path, () => {
    unlinkSync(token.path);
  });
  return unlinked || wasVoided(location, token);
}

/** `sweep` leaves word of a token that it took from a claim. */
function wasVoided(location: Location, token: Token): boolean {
  return unless(['ENOENT'], `replace object "${location.name}"`, location.path, () => {
    unlinkSync(voidPath(location, token.id));
  });
}

async function isIn(location: Location, state: string): Promise<boolean> {
  return (await currentState(location))?.etag === state;
}
