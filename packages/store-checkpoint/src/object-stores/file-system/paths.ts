import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { KeyfoldError } from '@keyfold/core/provider';
import { isObjectSegment } from '../object-name.ts';
import { attempt, errno, storageError } from './fs-errors.ts';
import { syncDirectory } from './sync-directory.ts';

/** A claim's name is 34 characters longer, and file systems stop at 255. */
const MAX_SEGMENT = 200;
const REMEMBERED = 10_000;

/** Whether an entry of a directory can be an object of this store, or lead to one. */
export function isFileSegment(entry: string): boolean {
  return isObjectSegment(entry) && entry.length <= MAX_SEGMENT;
}

/** Where an object is. */
export interface Location {
  readonly name: string;
  /** Absolute path of the file. */
  readonly path: string;
  /** Absolute path of the directory it is in. */
  readonly directory: string;
  /** That directory's names below the root. */
  readonly parents: readonly string[];
}

/**
 * The directories of one store. Each is looked at once, when first used: it has
 * to be a directory and not a link to one. Replacing a directory by a link while
 * a store works in it takes the rights of the store's own user, who could as
 * well replace the files.
 */
export class Directories {
  readonly root: string;
  readonly #seen = new Set<string>();
  readonly #durable = new Set<string>();

  constructor(root: string) {
    assertRoot(root);
    this.root = resolve(root);
  }

  /** @throws KeyfoldError INVALID_ARGUMENT when a part is longer than a file name may be */
  locate(name: string): Location {
    const segments = name.split('/');
    if (segments.some((segment) => segment.length > MAX_SEGMENT)) {
      throw new KeyfoldError(
        'INVALID_ARGUMENT',
        `Object "${name.slice(0, 80)}..." cannot be a file: between slashes a name has at most ${MAX_SEGMENT} characters.`,
      );
    }
    const parents = segments.slice(0, -1);
    return { name, path: join(this.root, ...segments), directory: join(this.root, ...parents), parents };
  }

  /** Whether the directory is there, for reading. */
  exists(parents: readonly string[]): boolean {
    return this.#levels(parents).every((level) => this.#seen.has(level) || this.#look(level));
  }

  /**
   * Creates the directory where it is missing, and makes its entry durable:
   * also when another writer made it, who may not have come to that yet.
   */
  async ensure(parents: readonly string[]): Promise<void> {
    for (const level of this.#levels(parents)) {
      if (this.#durable.has(level)) continue;
      const created = this.#create(level);
      if (!created && !this.#look(level)) {
        throw new KeyfoldError(
          'STORAGE_FAILURE',
          `${level} leads nowhere: it is a link without a target, or was removed at this moment.`,
        );
      }
      // An existing root is the operator's, and what is above it may not be readable.
      if (created || level !== this.root) await syncDirectory(dirname(level));
      remember(this.#durable, level);
    }
  }

  /** Look again: something was not where it had been seen. */
  forget(): void {
    this.#seen.clear();
    this.#durable.clear();
  }

  #levels(parents: readonly string[]): string[] {
    return [this.root, ...parents.map((_, index) => join(this.root, ...parents.slice(0, index + 1)))];
  }

  #create(level: string): boolean {
    try {
      mkdirSync(level, { mode: 0o700 });
      return true;
    } catch (error) {
      const code = errno(error);
      // A read-only or foreign parent is no obstacle to a directory that is there.
      if (code === 'EEXIST' || isThere(level)) return false;
      if (code === 'ENOENT' && level === this.root) {
        throw new KeyfoldError(
          'STORAGE_FAILURE',
          `The store's root ${level} cannot be created: ${dirname(level)} does not exist. Create it or correct the path.`,
          { cause: error },
        );
      }
      throw storageError(error, 'create a directory', level);
    }
  }

  #look(level: string): boolean {
    const isRoot = level === this.root;
    // The root itself may be a link: whoever configures it chooses it.
    const stats = attempt('look at a directory', level, () =>
      (isRoot ? statSync : lstatSync)(level, { throwIfNoEntry: false }),
    );
    if (stats === undefined) {
      return false;
    }
    if (stats.isSymbolicLink()) {
      throw new KeyfoldError(
        'STORAGE_FAILURE',
        `${level} is a symbolic link. The store follows no links below its root; put a directory there.`,
      );
    }
    if (!stats.isDirectory()) {
      throw new KeyfoldError(
        'STORAGE_FAILURE',
        `${level} is a file, not a directory. Move it away or choose another ${isRoot ? 'root' : 'name'}.`,
      );
    }
    remember(this.#seen, level);
    return true;
  }
}

function assertRoot(root: unknown): asserts root is string {
  if (typeof root !== 'string' || root === '' || root.includes('\0')) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The root of a file system store has to be the path of a directory.');
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** A store of very many directories must not remember them all. */
function remember(set: Set<string>, value: string): void {
  if (set.size >= REMEMBERED) set.clear();
  set.add(value);
}
