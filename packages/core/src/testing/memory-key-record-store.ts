import { KeyfoldError } from '../errors.ts';
import type { KeyRecordStore, StoredKeyRecord } from '../ports/key-record-store.ts';

/** Key records in memory, for tests: everything that the port promises but durability. */
export class MemoryKeyRecordStore implements KeyRecordStore {
  readonly #records = new Map<string, StoredKeyRecord>();
  #counter = 0;

  get(key: string): Promise<StoredKeyRecord | undefined> {
    const stored = this.#records.get(key);
    return Promise.resolve(stored && { bytes: Uint8Array.from(stored.bytes), version: stored.version });
  }

  async *list(options: { readonly prefix?: string } = {}): AsyncIterable<string> {
    const keys = [...this.#records.keys()].filter((key) => key.startsWith(options.prefix ?? ''));
    yield* await Promise.resolve(keys.sort());
  }

  create(key: string, bytes: Uint8Array): Promise<void> {
    return this.#change(() => {
      if (this.#records.has(key)) throw new KeyfoldError('ALREADY_EXISTS', `There is a key record ${key} already.`);
      this.#put(key, bytes);
    });
  }

  compareAndSwap(key: string, version: string, bytes: Uint8Array): Promise<void> {
    return this.#change(() => {
      this.#require(key, version);
      this.#put(key, bytes);
    });
  }

  delete(key: string, version: string): Promise<void> {
    return this.#change(() => {
      this.#require(key, version);
      this.#records.delete(key);
    });
  }

  async #change(change: () => void): Promise<void> {
    await Promise.resolve();
    change();
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
