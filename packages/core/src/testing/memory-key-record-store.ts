import { KeyfoldError, throwIfAborted } from '../errors.ts';
import type { KeyRecordCallOptions, KeyRecordStore, StoredKeyRecord } from '../ports/key-record-store.ts';

/** Key records in memory, for tests: everything that the port promises but durability. */
export class MemoryKeyRecordStore implements KeyRecordStore {
  readonly #records = new Map<string, StoredKeyRecord>();
  #counter = 0;

  async get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined> {
    await turn(options);
    const stored = this.#records.get(key);
    return stored && { bytes: Uint8Array.from(stored.bytes), version: stored.version };
  }

  async *list(options: { readonly prefix?: string } & KeyRecordCallOptions = {}): AsyncIterable<string> {
    await turn(options);
    const keys = [...this.#records.keys()].filter((key) => key.startsWith(options.prefix ?? ''));
    yield* keys.sort();
  }

  async create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    await turn(options);
    if (this.#records.has(key)) throw new KeyfoldError('ALREADY_EXISTS', `There is a key record ${key} already.`);
    this.#put(key, bytes);
  }

  async compareAndSwap(key: string, version: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    await turn(options);
    this.#require(key, version);
    this.#put(key, bytes);
  }

  async delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    await turn(options);
    this.#require(key, version);
    this.#records.delete(key);
  }

  #require(key: string, version: string): void {
    if (this.#records.get(key)?.version === version) return;
    throw new KeyfoldError('CONFLICT', `The key record ${key} is not in version ${version}.`);
  }

  #put(key: string, bytes: Uint8Array): void {
    this.#counter++;
    this.#records.set(key, { bytes: Uint8Array.from(bytes), version: String(this.#counter) });
  }
}

/** Others get their turn before an operation, as with any real store; the operation itself is atomic. */
async function turn(options: KeyRecordCallOptions | undefined): Promise<void> {
  await Promise.resolve();
  throwIfAborted(options?.signal);
}
