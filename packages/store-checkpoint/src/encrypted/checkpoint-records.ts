import type { KeyRecordStore, PreparedPut, StoredKeyRecord } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';

/** A checkpoint that is there, or an object that should name one and does not. */
export type RecordEntry = { readonly id: string } | { readonly unreadable: string };

/** Key records of checkpoints; a record's key is the checkpoint's id. */
export interface CheckpointRecords extends KeyRecordStore {
  /** The record of a stem, for those who know no id. */
  at(stem: string, options?: CallOptions): Promise<StoredKeyRecord | undefined>;
  /**
   * Removes what is too large to be a record, where records can be. `changed` when there is something else by now.
   * It needs no condition: nobody replaces such a thing, for nobody reads it.
   */
  removeOversized?(id: string, options?: CallOptions): Promise<'removed' | 'absent' | 'changed'>;
  /** Like list(), and names what does not tell its id instead of refusing it. */
  entries(options: { readonly prefix: string } & CallOptions): AsyncIterable<RecordEntry>;
  /** A create, or a swap of that version, up to the point where it shows; left out where nothing can go ahead. */
  prepare?(id: string, version: string | undefined, bytes: Uint8Array, options?: CallOptions): Promise<PreparedPut>;
}
