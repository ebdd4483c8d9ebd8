import type { Clock, ObjectBody, ObjectCallOptions, ObjectContent, ObjectInfo, ObjectStore, ObjectStoreCapabilities, OpenObject, OpenOptions, PreparedPut, PutCondition } from '@keyfold/core/provider';
import { systemClock, throwIfAborted } from '@keyfold/core/provider';
import { assertOneCondition, assertWithin } from './conditions.ts';
import type { FileSystemContext } from './file-system/context.ts';
import { stage } from './file-system/durable-write.ts';
import { Directories, type Location } from './file-system/paths.ts';
import { PreparedFile } from './file-system/prepared-file.ts';
import { assertPublishable } from './file-system/publish.ts';
import { describe, openContent } from './file-system/read.ts';
import { readSettled } from './file-system/read-settled.ts';
import { removeAny, removeState } from './file-system/remove.ts';
import { STEP_HOOK, type StepHook } from './file-system/steps.ts';
import { sweep, type SweepOptions, type SweepReport } from './file-system/sweep.ts';
import { walk } from './file-system/walk.ts';
import { assertObjectName, assertObjectPrefix } from './object-name.ts';

export type { SweepOptions, SweepReport } from './file-system/sweep.ts';

export interface FileSystemObjectStoreOptions {
  /** For the age of what `sweep` removes; the wall clock unless given. */
  readonly clock?: Clock | undefined;
  /** @internal */
  readonly [STEP_HOOK]?: StepHook;
}

/**
 * Objects as files of a directory that belongs to the store. Files have mode
 * 0600, directories 0700; `/` in a name is a directory, so no object's name can
 * also be the beginning of another's up to a slash. No link below the root is
 * followed.
 *
 * The root is created at the first write, what is above it is not. Needed: a
 * POSIX file system with atomic rename, hard links, and an fsync that means it
 * (ext4, XFS, Btrfs, APFS; NFS as far as its server keeps these). Windows is
 * neither supported nor tested.
 *
 * Any number of processes may write at once, and any of them may be killed or
 * stopped for any time: see `file-system/compare-and-swap.ts`. What a killed one
 * leaves is invisible, and removed by `sweep`.
 *
 * `delete` with `ifMatch` keeps a slow writer from bringing the object back; it
 * writes a little and so needs a little space. Without `ifMatch` it simply
 * unlinks: right for immutable objects, and for making room. Do not mix: a name
 * that is replaced with conditions is to be deleted with one, and an unconditional
 * put or delete of it can be undone by a replacement that was under way.
 */
export class FileSystemObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities = { conditionalWrites: true };
  readonly #context: FileSystemContext;
  readonly #clock: Clock;

  /**
   * Touches no disk.
   * @throws KeyfoldError INVALID_ARGUMENT
   */
  constructor(root: string, options: FileSystemObjectStoreOptions = {}) {
    this.#context = { directories: new Directories(root), step: options[STEP_HOOK] ?? noStep };
    this.#clock = options.clock ?? systemClock;
  }

  async put(
    name: string,
    body: ObjectBody,
    options: PutCondition & ObjectCallOptions = {},
  ): Promise<{ readonly size: number }> {
    const prepared = await this.#prepare(name, body, options);
    return prepared.publish();
  }

  /** Writes and syncs a temporary file. One that is older than a sweep permits may be gone when it is published. */
  prepare(name: string, bytes: Uint8Array, options: PutCondition & ObjectCallOptions = {}): Promise<PreparedPut> {
    return this.#prepare(name, bytes, options);
  }

  async #prepare(name: string, body: ObjectBody, options: PutCondition & ObjectCallOptions): Promise<PreparedPut> {
    const location = this.#locate(name, options);
    assertOneCondition(name, options);
    await assertPublishable(this.#context, location, options);
    const staged = await stage(this.#context, location, body, options.signal);
    return new PreparedFile(this.#context, location, staged, options);
  }

  async read(
    name: string,
    options: { readonly maxBytes: number } & ObjectCallOptions,
  ): Promise<ObjectContent | undefined> {
    const location = this.#locate(name, options);
    assertWithin(name, 0, options.maxBytes);
    return this.#isReachable(location) ? readSettled(this.#context, location, options.maxBytes) : undefined;
  }

  async open(
    name: string,
    options: OpenOptions = {},
  ): Promise<OpenObject | undefined> {
    const location = this.#locate(name, options);
    return this.#isReachable(location) ? openContent(location, options) : undefined;
  }

  async head(name: string, options: ObjectCallOptions = {}): Promise<ObjectInfo | undefined> {
    const location = this.#locate(name, options);
    return this.#isReachable(location) ? describe(location) : undefined;
  }

  async delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
    const location = this.#locate(name, options);
    if (options.ifMatch !== undefined) {
      await removeState(this.#context, location, options.ifMatch, options.signal);
      return true;
    }
    return removeAny(this.#context, location);
  }

  list(options: { readonly prefix?: string } & ObjectCallOptions = {}): AsyncIterable<ObjectInfo> {
    const prefix = options.prefix ?? '';
    assertObjectPrefix(prefix);
    return walk(this.#context, prefix, options.signal);
  }

  /**
   * Removes what interrupted writers left. Safe beside any number of writers and
   * other sweeps; empty directories stay.
   * @throws KeyfoldError INVALID_ARGUMENT, ABORTED and the storage codes
   */
  sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweep(this.#context, options, this.#clock.now());
  }

  #locate(name: string, options: ObjectCallOptions): Location {
    assertObjectName(name);
    throwIfAborted(options.signal);
    return this.#context.directories.locate(name);
  }

  #isReachable(location: Location): boolean {
    return this.#context.directories.exists(location.parents);
  }
}

function noStep(): void {
  // Outside of tests nobody watches.
}
