import type { Auditor, Clock, KeyCache, KeyPolicy, KmsClient, Meter, ObjectStore, SuiteName } from '@keyfold/core';
import type { BufferFreer } from '@keyfold/core/provider';
import type { CheckpointNames } from './checkpoint-names.ts';
import type { CheckpointRecords } from './checkpoint-records.ts';

/** What the operations of one open store share. */
export interface StoreContext {
  readonly tenant: string;
  readonly objects: ObjectStore;
  readonly names: CheckpointNames;
  readonly records: CheckpointRecords;
  /** Wraps new DEKs. */
  readonly kms: KmsClient;
  /** What may unwrap. */
  readonly policy: KeyPolicy;
  readonly cache: KeyCache;
  readonly auditor: Auditor;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly freer: BufferFreer;
  readonly suite: SuiteName;
  /** Whether records are replaced only as they were read, which a rewrap needs. */
  readonly conditional: boolean;
  /** Whether objects have an age, which the collection of garbage needs. */
  readonly aged: boolean;
  /** Data objects up to this size stand inline, behind their record. */
  readonly inlineLimitBytes: number;
}

/** Where the data object of one save stands. */
export function dataNameOf({ names }: StoreContext, id: string, objectIdHex: string): string {
  return names.data(names.stem(id), objectIdHex);
}
