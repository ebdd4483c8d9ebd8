import type { KeyRecordStore, StoredKeyRecord } from '@keyfold/core';
import type { CallOptions } from '../checkpoint-store.ts';
import { encodeId, encodeIdPrefix } from '../object-names.ts';
import type { CheckpointRecords, RecordEntry } from './checkpoint-records.ts';

/** Records that are kept in a KeyRecordStore of the caller's, apart from the data. */
export class UserKeyRecords implements CheckpointRecords {
  readonly #records: KeyRecordStore;

  constructor(records: KeyRecordStore) {
    this.#records = records;
  }

  get(id: string, options?: CallOptions): Promise<StoredKeyRecord | undefined> {
    return this.#records.get(id, options);
  }

  /** Names are visible, and so a stem is an id. */
  at(stem: string, options?: CallOptions): Promise<StoredKeyRecord | undefined> {
    return this.#records.get(stem, options);
  }

  list(options?: { readonly prefix?: string } & CallOptions): AsyncIterable<string> {
    return this.#ids(options?.prefix ?? '', options?.signal);
  }

  async *entries({ prefix, signal }: { readonly prefix: string } & CallOptions): AsyncIterable<RecordEntry> {
    for await (const id of this.#ids(prefix, signal)) yield { id };
  }

  create(id: string, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#records.create(id, bytes, options);
  }

  compareAndSwap(id: string, version: string, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#records.compareAndSwap(id, version, bytes, options);
  }

  delete(id: string, version: string, options?: CallOptions): Promise<void> {
    return this.#records.delete(id, version, options);
  }

  async *#ids(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<string, void, undefined> {
    // Refuses what is no prefix, as for every other store.
    encodeIdPrefix(prefix);
    for await (const id of this.#records.list({ prefix, signal })) {
      if (id.startsWith(prefix) && isId(id)) yield id;
    }
  }
}

function isId(key: string): boolean {
  try {
    encodeId(key);
    return true;
  } catch {
    return false;
  }
}
