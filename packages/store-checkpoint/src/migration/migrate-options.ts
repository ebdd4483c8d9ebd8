import { type ErrorCode, KeyfoldError } from '@keyfold/core';
import type { CallOptions, CheckpointStore } from '../checkpoint-store.ts';
import { EncryptedCheckpointStore } from '../encrypted/encrypted-checkpoint-store.ts';
import { refuseUnknownOptions } from '../unknown-options.ts';

export interface MigratePlaintextOptions extends CallOptions {
  /** What is in plaintext. Nobody else may save there meanwhile; deleting is possible. */
  readonly from: CheckpointStore;
  readonly to: EncryptedCheckpointStore;
  /** Only ids that begin so. Default all. */
  readonly prefix?: string;
  /** Deletes each checkpoint from `from` once its encrypted copy was read back and is the same. Default false. */
  readonly deleteSource?: boolean;
  /** Only says what there is to do, and writes and deletes nothing. Default false. */
  readonly dryRun?: boolean;
  /** Told after every checkpoint. */
  readonly onProgress?: (step: MigrationStep, report: Readonly<MigrationReport>) => void;
}

/**
 * - `migrated`: encrypted by this run, read back, and the same
 * - `present`: was encrypted already (by an earlier run, say), read back, and the same
 * - `pending`: a dry run found no encrypted copy
 * - `different`: there is an encrypted checkpoint of this id with other data or metadata; both are left as they are
 * - `failed`: the one or the other cannot be read, or cannot be named, or the copy is gone again, see `code`; both are left as they are
 */
export type MigrationOutcome = 'migrated' | 'present' | 'pending' | 'different' | 'failed';

/** What a migration did with one checkpoint. */
export interface MigrationStep {
  readonly id: string;
  readonly outcome: MigrationOutcome;
  /** Whether the plaintext was deleted. */
  readonly sourceDeleted: boolean;
  readonly code?: ErrorCode;
}

/** How many checkpoints had which outcome. The migration is complete when a run has only `migrated` and `present`. */
export type MigrationReport = Record<MigrationOutcome | 'sourcesDeleted', number>;

const KNOWN = ['from', 'to', 'prefix', 'deleteSource', 'dryRun', 'onProgress', 'signal'] as const satisfies readonly (keyof MigratePlaintextOptions)[];

/** @throws KeyfoldError INVALID_ARGUMENT, also for a misspelt option: what is not done then must not seem to be */
export function checkMigration(options: MigratePlaintextOptions): void {
  refuseUnknownOptions('migratePlaintext()', options, KNOWN);
  const { from, to, deleteSource = false, dryRun = false } = options;
  if (!(to instanceof EncryptedCheckpointStore) || (from as unknown) instanceof EncryptedCheckpointStore || typeof from !== 'object' || (from as unknown) === null) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'migratePlaintext() takes "from", a store in plaintext, and "to", an EncryptedCheckpointStore.');
  }
  if (typeof deleteSource !== 'boolean' || typeof dryRun !== 'boolean') {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The options "deleteSource" and "dryRun" must be true or false.');
  }
}
