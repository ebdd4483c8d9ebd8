import { lstatSync } from 'node:fs';
import { isKeyfoldError, type ObjectContent } from '@keyfold/core/provider';
import { complete } from './compare-and-swap.ts';
import type { FileSystemContext } from './context.ts';
import { attempt } from './fs-errors.ts';
import { claimPath } from './internal-names.ts';
import type { Location } from './paths.ts';
import { readContent } from './read.ts';

/** Each further attempt means that another writer was interrupted, or is at work. */
const ATTEMPTS = 8;

/**
 * A whole object as it is once what others have begun to put in its place is
 * there: a writer that replaces what was read here does not come behind one
 * that was killed. Who may not write reads what stands there.
 * @throws KeyfoldError LIMIT_EXCEEDED and the storage codes
 */
export async function readSettled(context: FileSystemContext, location: Location, maxBytes: number): Promise<ObjectContent | undefined> {
  for (let attempts = 1; ; attempts += 1) {
    const content = await readContent(location, maxBytes);
    if (content === undefined || attempts === ATTEMPTS || !(await settled(context, location, content.etag))) return content;
  }
}

/** Whether there was something to finish. */
async function settled(context: FileSystemContext, location: Location, state: string): Promise<boolean> {
  const claim = claimPath(location, state);
  const stats = attempt(`look at object "${location.name}"`, claim, () => lstatSync(claim, { throwIfNoEntry: false }));
  if (stats?.isDirectory() !== true) return false;
  try {
    return await complete(context, location, state);
  } catch (error) {
    // Of a reader's concern is what stands there. Whoever writes meets the same and is told.
    if (isKeyfoldError(error)) return false;
    throw error;
  }
}
