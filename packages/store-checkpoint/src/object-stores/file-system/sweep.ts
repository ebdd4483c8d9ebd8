import { lstatSync, renameSync, rmSync, unlinkSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { KeyfoldError, throwIfAborted } from '@keyfold/core/provider';
import { complete, discardDirectory, findToken } from './compare-and-swap.ts';
import type { FileSystemContext } from './context.ts';
import { attempt, unless } from './fs-errors.ts';
import { isTemporary, isVoid, parseClaim, temporaryPath, voidPath } from './internal-names.ts';
import { isFileSegment } from './paths.ts';
import { inspect } from './read.ts';
import { syncDirectory } from './sync-directory.ts';
import { TOMBSTONE_SIZE, retire } from './tombstone.ts';
import { entriesOf } from './walk.ts';

export interface SweepOptions {
  /**
   * How old what a writer left has to be, in milliseconds; one hour unless given.
   * Longer than the longest time for which a living writer may stand still: what
   * was swept from under it fails.
   */
  readonly olderThanMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a sweep removed. */
export interface SweepReport {
  /** Bodies that were never published. */
  readonly temporaries: number;
  /** Replacements that had been begun: completed, or taken back when another came first. */
  readonly claims: number;
  /** What deletes left that were interrupted. */
  readonly tombstones: number;
}

const HOUR = 3_600_000;

/** Goes through all directories, one at a time. */
export async function sweep(context: FileSystemContext, options: SweepOptions, now: number): Promise<SweepReport> {
  const grace = options.olderThanMs ?? HOUR;
  if (!Number.isFinite(grace) || grace < 0) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'olderThanMs is a number of milliseconds, 0 or more.');
  }
  const sweeper = new Sweeper(context, now - grace, options.signal);
  if (context.directories.exists([])) await sweeper.directory([]);
  return sweeper.report;
}

class Sweeper {
  readonly report = { temporaries: 0, claims: 0, tombstones: 0 };
  readonly #context: FileSystemContext;
  readonly #before: number;
  readonly #signal: AbortSignal | undefined;

  constructor(context: FileSystemContext, before: number, signal: AbortSignal | undefined) {
    this.#context = context;
    this.#before = before;
    this.#signal = signal;
  }

  async directory(parents: readonly string[]): Promise<void> {
    throwIfAborted(this.#signal);
    const path = join(this.#context.directories.root, ...parents);
    const entries = await entriesOf(path);
    const before = { ...this.report };
    for (const entry of entries) {
      if (entry.isDirectory()) await this.#claim(parents, path, entry.name);
    }
    for (const entry of entries) {
      if (isTemporary(entry.name)) this.#temporary(path, entry);
      else if (isVoid(entry.name)) this.#void(path, entry.name);
      else if (entry.isFile() && isFileSegment(entry.name)) await this.#tombstone(parents, path, entry.name);
    }
    if (Object.entries(before).some(([what, count]) => this.report[what as keyof SweepReport] !== count)) {
      await syncDirectory(path);
    }
    for (const entry of entries) {
      if (entry.isDirectory() && isFileSegment(entry.name)) await this.directory([...parents, entry.name]);
    }
  }

  /**
   * A token whose state is current is completed: that is safe at any age. One
   * whose state is not belongs to a writer who came too late; its own writer
   * takes it back, and here it is done for him when he is taken for dead. He may
   * still wake up and find it gone, so word is left that it was not published.
   */
  async #claim(parents: readonly string[], directory: string, entry: string): Promise<void> {
    const parsed = parseClaim(entry);
    if (parsed === undefined || !isFileSegment(parsed.segment)) return;
    const location = this.#context.directories.locate([...parents, parsed.segment].join('/'));
    const claim = join(directory, entry);
    await complete(this.#context, location, parsed.etag);
    const token = findToken(location, claim);
    if (token?.kind === 'new' && this.#isOld(token.path)) {
      unless(['ENOENT'], `settle the claim on object "${location.name}"`, location.path, () => {
        renameSync(token.path, voidPath(location, token.id));
      });
    }
    discardDirectory(claim);
    if (stats(claim) === undefined) this.report.claims += 1;
  }

  #temporary(directory: string, entry: Dirent): void {
    const path = join(directory, entry.name);
    if (!this.#isOld(path)) return;
    // Its writer finds it whole or not at all: an emptied directory must not become a claim.
    const doomed = temporaryPath(directory);
    const mine = unless(['ENOENT'], 'remove a temporary file', path, () => {
      renameSync(path, doomed);
    });
    if (!mine) return;
    attempt('remove a temporary file', path, () => {
      rmSync(doomed, { recursive: true, force: true });
    });
    this.report.temporaries += 1;
  }

  #void(directory: string, entry: string): void {
    const path = join(directory, entry);
    if (!this.#isOld(path)) return;
    unless(['ENOENT'], 'remove a temporary file', path, () => {
      unlinkSync(path);
    });
    this.report.temporaries += 1;
  }

  async #tombstone(parents: readonly string[], directory: string, entry: string): Promise<void> {
    if (stats(join(directory, entry))?.size !== TOMBSTONE_SIZE) return;
    const location = this.#context.directories.locate([...parents, entry].join('/'));
    const standing = await inspect(location);
    if (typeof standing === 'string') return;
    if (await retire(this.#context, location, standing.tombstone)) this.report.tombstones += 1;
  }

  #isOld(path: string): boolean {
    const found = stats(path);
    // A rename changes ctime alone, a write both.
    return found !== undefined && Math.max(found.mtimeMs, found.ctimeMs) <= this.#before;
  }
}

function stats(path: string): { readonly size: number; readonly mtimeMs: number; readonly ctimeMs: number } | undefined {
  return attempt('look at a file', path, () => lstatSync(path, { throwIfNoEntry: false }));
}
