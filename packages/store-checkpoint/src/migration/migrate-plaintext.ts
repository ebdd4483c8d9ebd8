import { type ErrorCode, isKeyfoldError } from '@keyfold/core';
import { integrityFailure, throwIfAborted } from '@keyfold/core/provider';
import { CONTEXT, FROM_PLAINTEXT } from '../encrypted/internals.ts';
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

/** Undefined when it was deleted since it was listed. */
async function migrateOne(options: MigratePlaintextOptions, id: string): Promise<MigrationStep | undefined> {
  const trail = new Trail(options.to[CONTEXT], 'checkpoint.migrate', id);
  try {
    const outcome = options.dryRun === true ? await foresee(options, id) : await carryOut(options, id);
    const same = outcome === 'migrated' || outcome === 'present';
    const deleted = same && options.deleteSource === true && options.dryRun !== true && (await options.from.delete(id, call(options)));
    if (options.dryRun !== true) await (same ? trail.success() : trail.failure(integrityFailure(`The checkpoint ${JSON.stringify(id)}`)));
    return { id, outcome, sourceDeleted: deleted };
  } catch (error) {
    if (isKeyfoldError(error, 'NOT_FOUND')) return undefined;
    await trail.failure(error);
    return { id, outcome: 'failed', sourceDeleted: false, code: codeOfOne(error) };
  }
}

async function carryOut(options: MigratePlaintextOptions, id: string): Promise<MigrationOutcome> {
  const { from, to } = options;
  const metadata = await from.readMetadata(id, call(options));
  try {
    await to.save(id, from.loadStream(id, call(options)), { metadata, ...call(options), [FROM_PLAINTEXT]: true });
  } catch (error) {
    if (!isKeyfoldError(error, 'ALREADY_EXISTS')) throw error;
    return (await isSame(options, id)) ? 'present' : 'different';
  }
  return (await isSame(options, id)) ? 'migrated' : 'different';
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

/** What is about one checkpoint alone, so that the others can go on. */
const OF_ONE: readonly ErrorCode[] = ['INTEGRITY_FAILURE', 'INVALID_ARGUMENT', 'LIMIT_EXCEEDED', 'KEY_NOT_ALLOWED', 'CONFLICT'];

/** @throws anything else */
function codeOfOne(error: unknown): ErrorCode {
  if (isKeyfoldError(error) && OF_ONE.includes(error.code)) return error.code;
  throw error;
}

function call({ signal }: MigratePlaintextOptions): { readonly signal: AbortSignal | undefined } {
  return { signal };
}
