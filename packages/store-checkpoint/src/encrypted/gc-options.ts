import { KeyfoldError } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';
import { refuseUnknownOptions } from '../unknown-options.ts';

const HOUR_MS = 3_600_000;

export interface GcOptions extends CallOptions {
  /**
   * Milliseconds: how old a data object has to be before it is looked at, and how long it has to be marked as being
   * without a record before it is removed. At least 3,600,000 (an hour); default 86,400,000 (a day). Longer than the longest
   * pause of a save: one that pauses longer fails with CONFLICT.
   */
  readonly graceMs?: number;
  /** Says what would be done, and writes nothing at all. Default false. */
  readonly dryRun?: boolean;
  /** Told after every data object, and every mark without one. */
  readonly onProgress?: (report: Readonly<GcReport>) => void;
}

/** What one run saw and did. Each data object is counted once, besides in `examined`; one that the storage failed with only there. */
export interface GcReport {
  /** Data objects. */
  examined: number;
  /** A record refers to it. */
  referenced: number;
  /** Younger than the grace: not looked at. */
  young: number;
  /** Without a record, and now marked so. A later run removes it. */
  marked: number;
  /** Without a record, and not marked because the storage is full. */
  unmarked: number;
  /** Marked by an earlier run, less than the grace ago. */
  waiting: number;
  removed: number;
  /** Bytes of what was removed. */
  removedBytes: number;
  /** Kept because the record under its id cannot be read as one, or lacks its own data. */
  unclear: number;
  /** Marks whose data object is gone. */
  marksRemoved: number;
  /** What the object store's own `sweep()` says that it removed. */
  swept: Readonly<Record<string, number>>;
}

export interface ResolvedGc extends CallOptions {
  readonly graceMs: number;
  readonly dryRun: boolean;
}

const KNOWN = ['graceMs', 'dryRun', 'onProgress', 'signal'] as const satisfies readonly (keyof GcOptions)[];

/** @throws KeyfoldError INVALID_ARGUMENT, also for a misspelt option: `dryrun` must not remove anything */
export function resolveGc(options: GcOptions): ResolvedGc {
  refuseUnknownOptions('gc()', options, KNOWN);
  const { graceMs = 24 * HOUR_MS, dryRun = false, signal } = options;
  if (!(typeof graceMs === 'number' && Number.isFinite(graceMs) && graceMs >= HOUR_MS)) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The option "graceMs" must be 3,600,000 milliseconds (an hour) or more: a save may pause, and one that pauses longer fails.');
  }
  if (typeof dryRun !== 'boolean') throw new KeyfoldError('INVALID_ARGUMENT', 'The option "dryRun" must be true or false.');
  return { graceMs, dryRun, signal };
}

export function emptyReport(): GcReport {
  return { examined: 0, referenced: 0, young: 0, marked: 0, unmarked: 0, waiting: 0, removed: 0, removedBytes: 0, unclear: 0, marksRemoved: 0, swept: {} };
}
