import type { KeyRecordStore, ObjectStore, StoredKeyRecord } from '@keyfold/core';
import { KEY_RECORD_LIMITS } from '@keyfold/core';
import { idOfRecord, recordName, encodeIdPrefix } from '../object-names.ts';

/** The most that a writer may put inline behind a record. */
export const INLINE_LIMIT_BYTES = 262_144;

const OBJECT_LIMIT_BYTES = KEY_RECORD_LIMITS.recordBytes + INLINE_LIMIT_BYTES;

interface Options {
  readonly signal?: AbortSignal | undefined;
}

/** Key records as sidecar objects; a record's key is the checkpoint's id. */
export class ObjectKeyRecordStore implements KeyRecordStore {
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  async get(id: string, options?: Options): Promise<StoredKeyRecord | undefined> {
    const object = await this.#objects.read(recordName(id), { maxBytes: OBJECT_LIMIT_BYTES, signal: options?.signal });
    return object && { bytes: object.bytes, version: object.etag };
  }

  async *list(options?: { readonly prefix?: string } & Options): AsyncIterable<string> {
    const prefix = encodeIdPrefix(options?.prefix ?? '');
    for await (const { name } of this.#objects.list({ prefix, signal: options?.signal })) {
      const id = idOfRecord(name);
      if (id !== undefined) yield id;
    }
  }

  async create(id: string, bytes: Uint8Array, options?: Options): Promise<void> {
    await this.#objects.put(recordName(id), bytes, { ifNoneMatch: '*', signal: options?.signal });
  }

  async compareAndSwap(id: string, version: string, bytes: Uint8Array, options?: Options): Promise<void> {
    await this.#objects.put(recordName(id), bytes, { ifMatch: version, signal: options?.signal });
  }

  async delete(id: string, version: string, options?: Options): Promise<void> {
    await this.#objects.delete(recordName(id), { ifMatch: version, signal: options?.signal });
  }
}
