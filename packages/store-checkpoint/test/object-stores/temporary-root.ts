import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { STEP_HOOK, type StepHook } from '../../src/object-stores/file-system/steps.ts';

/** A root that does not exist yet, in a directory that does. */
export async function temporaryRoot(): Promise<{ readonly root: string; readonly cleanup: () => Promise<void> }> {
  const parent = await mkdtemp(join(tmpdir(), 'keyfold-store-'));
  return { root: join(parent, 'root'), cleanup: () => rm(parent, { recursive: true, force: true }) };
}

export function hookedStore(root: string, hook: StepHook): FileSystemObjectStore {
  return new FileSystemObjectStore(root, { [STEP_HOOK]: hook });
}

/** A store to which all that was written up to now is a minute old. */
export function laterStore(root: string): FileSystemObjectStore {
  return new FileSystemObjectStore(root, { clock: { now: () => Date.now() + 60_000 } });
}

/** Everything below the root, the store's own files included. */
export async function everythingIn(root: string): Promise<string[]> {
  return (await readdir(root, { recursive: true })).sort();
}
