import { type ErrorCode, isKeyfoldError } from '@keyfold/core';
import { integrityFailure, throwIfAborted } from '@keyfold/core/provider';
import { CONTEXT, FROM_PLAINTEXT } from '../encrypted/internals.ts';
import type { CheckpointReceipt } from '../encrypted/receipt.ts';
import { remove } from '../encrypted/remove.ts';
import { Trail } from '../encrypted/trail.ts';
import { type MigratePlaintextOptions, type MigrationOutcome, type MigrationReport, type MigrationStep, checkMigration } from './migrate-options.ts';
import { digestOf, wipe } from './digest.ts';

/** A record, wherever its generation is: what is asked for so is never answered from plaintext. */
const SEALED = { minimumGeneration: 1 };

/**
 * Encrypts what is in plaintext, one checkpoint at a time. It may be stopped or
 * killed at any point and run again: what is there already is compared, not
 * written anew. No plaintext is deleted before its encrypted copy was read back
 * to the end and compared with it, data by SHA-256 and metadata by their JSON.
 * @throws KeyfoldError INVALID_ARGUMENT, ABORTED, AUDIT_FAILED, and what KMS and storage give
 */
export async function migratePlaintext(options: MigratePlaintextOptions): Promise<MigrationReport> {
  checkMigration(options);
  const report: MigrationReport = { migrated: 0, present: 0, pending: 0, different: 0, failed: 0, sourcesDeleted: 0 };
  for await (const id of options.from.list({ prefix: options.prefix ?? '', signal: options.signal })) {
    throwIfAborted(options.signal);
    const step = await migrateOne(options, id);
    if (step === undefined) continue;
    report[step.outcome]++;
    if (step.sourceDeleted) report.sourcesDeleted++;
    options.onProgress?.(step, report);
  }
  return report;
}

/** What a run knows of the checkpoint that it is at. */
interface Copy {
  /** Of the save that this run made. */
  receipt?: CheckpointReceipt;
}

/** Undefined when it was deleted since it was listed. */
async function migrateOne(options: MigratePlaintextOptions, id: string): Promise<MigrationStep | undefined> {
  const trail = new Trail(options.to[CONTEXT], 'checkpoint.migrate', id);
  const copy: Copy = {};
  try {
    const outcome = options.dryRun === true ? await foresee(options, id) : await carryOut(options, id, copy);
    const same = outcome === 'migrated' || outcome === 'present';
    const deleted = same && options.deleteSource === true && options.dryRun !== true && (await options.from.delete(id, call(options)));
    if (options.dryRun !== true) await (same ? trail.success() : trail.failure(integrityFailure(`The checkpoint ${JSON.stringify(id)}`)));
    return { id, outcome, sourceDeleted: deleted };
  } catch (caught) {
    const error = caught instanceof CannotWrite ? caught.cause : caught;
    if (isKeyfoldError(error, 'NOT_FOUND') && (await isGone(options, id))) {
      await undo(options, id, copy);
      return undefined;
    }
    await trail.failure(error);
    return { id, outcome: 'failed', sourceDeleted: false, code: codeOfOne(caught) };
  }
}

async function carryOut(options: MigratePlaintextOptions, id: string, copy: Copy): Promise<MigrationOutcome> {
  const receipt = await save(options, id);
  if (receipt !== undefined) copy.receipt = receipt;
  if (!(await isSame(options, id))) return 'different';
  return receipt === undefined ? 'present' : 'migrated';
}

/** Undefined when there is an encrypted one already. */
async function save({ from, to, signal }: MigratePlaintextOptions, id: string): Promise<CheckpointReceipt | undefined> {
  const metadata = await from.readMetadata(id, { signal });
  let unreadable: unknown;
  const source = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* from.loadStream(id, { signal });
    } catch (error) {
      unreadable = error;
      throw error;
    }
  };
  try {
    return await to.save(id, source(), { metadata, signal, [FROM_PLAINTEXT]: true });
  } catch (error) {
    if (isKeyfoldError(error, 'ALREADY_EXISTS')) return undefined;
    throw unreadable === undefined ? new CannotWrite('', { cause: error }) : error;
  }
}

/** What keeps this copy from being written keeps the others from it as well, most likely. */
class CannotWrite extends Error {}

async function isGone({ from, signal }: MigratePlaintextOptions, id: string): Promise<boolean> {
  try {
    await from.readMetadata(id, { signal });
    return false;
  } catch (error) {
    return isKeyfoldError(error, 'NOT_FOUND');
  }
}

/**
 * A checkpoint that was deleted while it was copied must not come back as its
 * copy. Whoever deletes removes the plaintext first and then looks for a record,
 * and the record was written before this looked for the plaintext: so one of
 * the two sees what the other did. What was saved anew under the id stays.
 */
async function undo({ to }: MigratePlaintextOptions, id: string, { receipt }: Copy): Promise<void> {
  if (receipt === undefined) return;
  const trail = new Trail(to[CONTEXT], 'checkpoint.delete', id);
  try {
    trail.note((await remove(to[CONTEXT], id, { objectId: receipt.objectId }))?.dek);
  } catch (error) {
    await trail.failure(error);
    throw error;
  }
  await trail.success();
}

async function foresee(options: MigratePlaintextOptions, id: string): Promise<MigrationOutcome> {
  try {
    return (await isSame(options, id)) ? 'present' : 'different';
  } catch (error) {
    if (!isKeyfoldError(error, 'NOT_FOUND')) throw error;
    // Tells a checkpoint that is gone from one that is still to do.
    await options.from.readMetadata(id, call(options));
    return 'pending';
  }
}

/** Reads both to the end. The source too: it may not be what was saved any more. */
async function isSame(options: MigratePlaintextOptions, id: string): Promise<boolean> {
  const { from, to } = options;
  const copied = await to.readMetadata(id, { ...SEALED, ...call(options) });
  const copy = await digestOf(to.loadStream(id, { ...SEALED, ...call(options) }), wipe);
  const original = await from.readMetadata(id, call(options));
  return JSON.stringify(copied) === JSON.stringify(original) && copy === (await digestOf(from.loadStream(id, call(options))));
}

/** What is about one checkpoint alone, so that the others can go on: a bad sector among them. */
const OF_ONE: readonly ErrorCode[] = ['NOT_FOUND', 'INTEGRITY_FAILURE', 'INVALID_ARGUMENT', 'LIMIT_EXCEEDED', 'KEY_NOT_ALLOWED', 'CONFLICT', 'STORAGE_FAILURE', 'STORAGE_DENIED'];
/** The same where the copy cannot be written. */
const OF_ONE_COPY: readonly ErrorCode[] = OF_ONE.filter((code) => !code.startsWith('STORAGE_'));

/** @throws anything else */
function codeOfOne(caught: unknown): ErrorCode {
  const [error, ofOne] = caught instanceof CannotWrite ? [caught.cause, OF_ONE_COPY] : [caught, OF_ONE];
  if (isKeyfoldError(error) && ofOne.includes(error.code)) return error.code;
  throw error;
}

function call({ signal }: MigratePlaintextOptions): { readonly signal: AbortSignal | undefined } {
  return { signal };
}
