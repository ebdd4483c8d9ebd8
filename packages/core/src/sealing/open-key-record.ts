import type { KeyRecord, ParsedKeyRecord } from '../format/key-record.ts';
import type { CheckpointMetadata } from './metadata.ts';
import { type OpenKeyRecordOptions, type OpenedRecord, forgetKey, inspectKeyRecord, openRecord } from './open-record.ts';
import { type CheckpointIdentity, checkpointSubject, damaged } from './record-subject.ts';

export type { CheckpointIdentity, OpenKeyRecordOptions };

/** A checkpoint's key record whose MAC and identity are verified. Release it when done. */
export interface OpenedKeyRecord extends Omit<OpenedRecord<CheckpointMetadata>, 'vouched'> {
  readonly metadata: CheckpointMetadata;
}

/**
 * Opens a checkpoint's key record: accepted keys only, unwrap, MAC, and the
 * metadata's commitment, which binds tenant and checkpoint.
 * @throws KeyfoldError KEY_NOT_ALLOWED when no wrap is by an accepted key (none is contacted),
 *   INTEGRITY_FAILURE when anything does not authenticate, and what the KMS gives
 */
export async function openCheckpointRecord(
  bytes: Uint8Array,
  identity: CheckpointIdentity,
  options: OpenKeyRecordOptions,
): Promise<OpenedKeyRecord> {
  const { vouched, ...opened } = await openRecord(bytes, checkpointSubject(identity), options);
  return { ...opened, metadata: vouched };
}

/**
 * What a record says of itself without any key: for listings and for choosing a
 * generation. Nobody vouches for it.
 * @throws KeyfoldError INTEGRITY_FAILURE when it is no checkpoint's record
 */
export function inspectCheckpointRecord(bytes: Uint8Array, checkpoint: string): ParsedKeyRecord {
  const parsed = inspectKeyRecord(bytes);
  if (parsed?.record.use === 'checkpoint') return parsed;
  throw damaged({ noun: 'checkpoint', name: checkpoint });
}

/** Forgets the DEK of a record that was deleted: put back, it must not open without the KMS. */
export function forgetCheckpointKey(
  record: KeyRecord,
  identity: CheckpointIdentity,
  options: Pick<OpenKeyRecordOptions, 'policy' | 'cache'>,
): void {
  forgetKey(record, checkpointSubject(identity), options);
}
