import type { KeyRecordStore, ObjectStore, StoredKeyRecord } from '@keyfold/core';
import { KEY_RECORD_LIMITS, KeyfoldError, isKeyfoldError } from '@keyfold/core';
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
    const object = await this.#read(id, options);
    return object && { bytes: object.bytes, version: object.etag };
  }

  async #read(id: string, options: Options | undefined): ReturnType<ObjectStore['read']> {
    try {
      return await this.#objects.read(recordName(id), { maxBytes: OBJECT_LIMIT_BYTES, signal: options?.signal });
    } catch (error) {
      if (!isKeyfoldError(error, 'LIMIT_EXCEEDED')) throw error;
      throw new KeyfoldError(
        'LIMIT_EXCEEDED',
        `The object ${recordName(id)} has more than ${OBJECT_LIMIT_BYTES} bytes, so it is not the record of a checkpoint. ` +
          'Find out who wrote it, remove it with the tools of the storage, and restore the checkpoint from a backup.',
      );
    }
  }

  async *list(options?: { readonly prefix?: string } & Options): AsyncIterable<string> {
    const prefix = options?.prefix ?? '';
    for await (const { name } of this.#objects.list({ prefix: encodeIdPrefix(prefix), signal: options?.signal })) {
      const id = idOfRecord(name);
      // `a.kfk` begins with "a.", and `a` does not.
      if (id?.startsWith(prefix) === true) yield id;
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
