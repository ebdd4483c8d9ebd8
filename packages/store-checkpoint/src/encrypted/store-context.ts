import type { Auditor, Clock, KeyCache, KeyPolicy, KeyRecordStore, KmsClient, Meter, ObjectStore, SuiteName } from '@keyfold/core';
import type { BufferFreer } from '@keyfold/core/provider';

/** What the operations of one open store share. */
export interface StoreContext {
  readonly tenant: string;
  readonly objects: ObjectStore;
  readonly records: KeyRecordStore;
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
  /** Data objects up to this size stand inline, behind their record. */
  readonly inlineLimitBytes: number;
}
