import { KEY_RECORD_LIMITS, KeyfoldError, type ObjectStore, type PreparedPut, type StoredKeyRecord, isKeyfoldError } from '@keyfold/core';
import { integrityFailure } from '@keyfold/core/provider';
import type { CallOptions } from '../checkpoint-store.ts';
import type { CheckpointNames } from './checkpoint-names.ts';
import type { CheckpointRecords, RecordEntry } from './checkpoint-records.ts';
import { readBeginning } from './read-beginning.ts';

/** The most that a writer may put inline behind a record. */
export const INLINE_LIMIT_BYTES = 262_144;

const RECORD_AND_DATA_BYTES = KEY_RECORD_LIMITS.recordBytes + INLINE_LIMIT_BYTES;

/** Key records as sidecar objects. */
export class ObjectKeyRecordStore implements CheckpointRecords {
  readonly #objects: ObjectStore;
  readonly #names: CheckpointNames;
  readonly #limitBytes: number;
  readonly prepare?: NonNullable<CheckpointRecords['prepare']>;

  /** @param limitBytes the most that a record may have, with data that stand behind it */
  constructor(objects: ObjectStore, names: CheckpointNames, limitBytes = RECORD_AND_DATA_BYTES) {
    this.#objects = objects;
    this.#names = names;
    this.#limitBytes = limitBytes + names.overheadBytes;
    const prepare = objects.prepare?.bind(objects);
    if (prepare === undefined) return;
    this.prepare = async (id, version, bytes, options): Promise<PreparedPut> => {
      const condition = version === undefined ? ({ ifNoneMatch: '*' } as const) : { ifMatch: version };
      return prepare(this.#nameOf(id), names.enclose(id, bytes), { ...condition, signal: options?.signal });
    };
  }

  async get(id: string, options?: CallOptions): Promise<StoredKeyRecord | undefined> {
    return this.at(this.#names.stem(id), options);
  }

  async at(stem: string, options?: CallOptions): Promise<StoredKeyRecord | undefined> {
    const object = await this.#read(this.#names.record(stem), options);
    return object && { bytes: this.#names.disclose(object.bytes), version: object.etag };
  }

  async #read(name: string, options: CallOptions | undefined): ReturnType<ObjectStore['read']> {
    try {
      return await this.#objects.read(name, { maxBytes: this.#limitBytes, signal: options?.signal });
    } catch (error) {
      if (!isKeyfoldError(error, 'LIMIT_EXCEEDED')) throw error;
      throw new KeyfoldError(
        'LIMIT_EXCEEDED',
        `The object ${name} has more than ${this.#limitBytes} bytes, so it is not the record of a checkpoint. ` +
          'Find out who wrote it. delete() removes what stands in the place of a checkpoint; then restore that from a backup.',
      );
    }
  }

  /** What does not tell its id is an INTEGRITY_FAILURE, once everything else has been given. */
  async *list(options?: { readonly prefix?: string } & CallOptions): AsyncIterable<string> {
    let unreadable: string | undefined;
    for await (const entry of this.entries({ prefix: options?.prefix ?? '', signal: options?.signal })) {
      if ('id' in entry) yield entry.id;
      else unreadable ??= entry.unreadable;
    }
    if (unreadable !== undefined) throw integrityFailure(`The hidden name of the object ${unreadable}`);
  }

  async *entries({ prefix, signal }: { readonly prefix: string } & CallOptions): AsyncIterable<RecordEntry> {
    for await (const info of this.#objects.list({ prefix: this.#names.stemPrefix(prefix), signal })) {
      const parsed = this.#names.parse(info.name);
      if (parsed.kind !== 'record') continue;
      const listed = await this.#names.idOf(parsed.stem, (maxBytes) => readBeginning(this.#objects, info, maxBytes, signal));
      if (listed === 'unreadable') yield { unreadable: info.name };
      // `a.kfk` begins with "a.", and `a` does not.
      else if (listed !== 'absent' && listed.id.startsWith(prefix)) yield listed;
    }
  }

  async create(id: string, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#objects.put(this.#nameOf(id), this.#names.enclose(id, bytes), { ifNoneMatch: '*', signal: options?.signal });
  }

  async compareAndSwap(id: string, version: string, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#objects.put(this.#nameOf(id), this.#names.enclose(id, bytes), { ifMatch: version, signal: options?.signal });
  }

  async delete(id: string, version: string, options?: CallOptions): Promise<void> {
    await this.#objects.delete(this.#nameOf(id), { ifMatch: version, signal: options?.signal });
  }

  async removeOversized(id: string, options?: CallOptions): Promise<'removed' | 'absent' | 'changed'> {
    const name = this.#nameOf(id);
    const info = await this.#objects.head(name, { signal: options?.signal });
    if (info === undefined) return 'absent';
    if (info.size <= this.#limitBytes) return 'changed';
    return (await this.#objects.delete(name, { signal: options?.signal })) ? 'removed' : 'absent';
  }

  #nameOf(id: string): string {
    return this.#names.record(this.#names.stem(id));
  }
}
