import { createHash } from 'node:crypto';
import {
  KeyfoldError,
  isKeyfoldError,
  throwIfAborted,
  type ByteRange,
  type ObjectBody,
  type ObjectCallOptions,
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  type OpenObject,
  type PutCondition,
} from '@keyfold/core/provider';
import { once } from '../encrypted/load-range.ts';
import { alreadyExists, assertWithin, conflict, resolveRange } from '../object-stores/conditions.ts';
import { collectBody } from '../object-stores/collect-body.ts';
import { OnePass } from '../object-stores/one-pass.ts';
import type { UserCheckpointStore } from './user-checkpoint-store.ts';

/**
 * Objects in a store that knows nothing of conditions: they are looked at, then
 * acted upon, so of two writers at once the last one wins. Nothing has an age.
 */
export class UserObjectStore implements ObjectStore {
  readonly capabilities = { conditionalWrites: false };
  readonly #store: UserCheckpointStore;

  constructor(store: UserCheckpointStore) {
    this.#store = store;
  }

  async put(name: string, body: ObjectBody, options: PutCondition & ObjectCallOptions = {}): Promise<{ readonly size: number }> {
    const bytes = await collectBody(name, body, options.signal);
    if (options.ifNoneMatch !== undefined && (await this.#load(name, options)) !== undefined) throw alreadyExists(name);
    if (options.ifMatch !== undefined) await this.#requireState(name, options.ifMatch, options);
    await this.#call('save', name, () => this.#store.save(name, bytes), options);
    return { size: bytes.byteLength };
  }

  async read(name: string, options: { readonly maxBytes: number } & ObjectCallOptions): Promise<ObjectContent | undefined> {
    const bytes = await this.#load(name, options);
    assertWithin(name, bytes?.byteLength ?? 0, options.maxBytes);
    return bytes && { bytes, etag: etagOf(bytes) };
  }

  async open(name: string, options: { readonly range?: ByteRange } & ObjectCallOptions = {}): Promise<OpenObject | undefined> {
    const bytes = await this.#load(name, options);
    if (bytes === undefined) return undefined;
    const { start, end } = resolveRange(name, bytes.byteLength, options.range);
    const body = new OnePass(once(bytes.subarray(start, end)), () => Promise.resolve());
    return { size: bytes.byteLength, identity: etagOf(bytes), body, cancel: () => body.cancel() };
  }

  async head(name: string, options: ObjectCallOptions = {}): Promise<ObjectInfo | undefined> {
    const bytes = await this.#load(name, options);
    return bytes && { name, size: bytes.byteLength, lastModified: 0 };
  }

  async delete(name: string, options: { readonly ifMatch?: string } & ObjectCallOptions = {}): Promise<boolean> {
    if (options.ifMatch !== undefined) await this.#requireState(name, options.ifMatch, options);
    else if ((await this.#load(name, options)) === undefined) return false;
    await this.#call('delete', name, () => this.#store.delete(name), options);
    return true;
  }

  /** Sizes and times are not known without loading, and so are zero. */
  async *list(options: { readonly prefix?: string } & ObjectCallOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    const prefix = options.prefix ?? '';
    const names = await this.#call('list', prefix, async () => iteratorOf(await this.#store.list(prefix)), options);
    try {
      for (;;) {
        const step = await this.#call('list', prefix, async () => names.next(), options);
        if (step.done === true) return;
        const name: unknown = step.value;
        if (typeof name !== 'string') throw new KeyfoldError('STORAGE_FAILURE', 'The store that was given listed something that is no name.');
        if (name.startsWith(prefix)) yield { name, size: 0, lastModified: 0 };
      }
    } finally {
      await names.return?.();
    }
  }

  async #requireState(name: string, etag: string, options: ObjectCallOptions): Promise<void> {
    const bytes = await this.#load(name, options);
    if (bytes === undefined || etagOf(bytes) !== etag) throw conflict(name);
  }

  async #load(name: string, options: ObjectCallOptions): Promise<Uint8Array | undefined> {
    const bytes: unknown = await this.#call('load', name, () => this.#store.load(name), options);
    if (bytes === undefined || bytes === null) return undefined;
    // A copy: what the caller's store does with its buffers afterwards is its own affair.
    if (bytes instanceof Uint8Array) return Uint8Array.from(bytes);
    throw new KeyfoldError('STORAGE_FAILURE', `The store that was given loaded something for ${JSON.stringify(name)} that is no Uint8Array.`);
  }

  async #call<T>(what: string, name: string, run: () => Promise<T>, { signal }: ObjectCallOptions): Promise<T> {
    throwIfAborted(signal);
    try {
      return await run();
    } catch (error) {
      if (isKeyfoldError(error)) throw error;
      throw new KeyfoldError('STORAGE_FAILURE', `The store that was given could not ${what} ${JSON.stringify(name)}.`, { cause: error });
    }
  }
}

function iteratorOf(names: AsyncIterable<string> | Iterable<string>): AsyncIterator<string> | Iterator<string> {
  return Symbol.asyncIterator in names ? names[Symbol.asyncIterator]() : names[Symbol.iterator]();
}

function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
