import { type CheckpointMetadata, isKeyfoldError } from '@keyfold/core';
import type { CallOptions, LoadOptions } from '../checkpoint-store.ts';
import type { PlainCheckpointStore, PlainReceipt } from '../plain/plain-checkpoint-store.ts';
import type { StoreContext } from './store-context.ts';
import { Trail } from './trail.ts';

type PlainLoadOptions = Omit<LoadOptions<PlainReceipt>, 'expect'>;

/** What is still in plaintext while a store is being encrypted. Every read of it is counted and on record. */
export class PlaintextWindow {
  readonly #context: StoreContext;
  readonly #plain: PlainCheckpointStore;

  constructor(context: StoreContext, plain: PlainCheckpointStore) {
    this.#context = context;
    this.#plain = plain;
  }

  /** Undefined when there is no such checkpoint in plaintext either. Nothing is given out before the event is on record. */
  async chunks(id: string, options: PlainLoadOptions): Promise<AsyncIterable<Uint8Array> | undefined> {
    const chunks = this.#plain.loadStream(id, options)[Symbol.asyncIterator]();
    try {
      const first = await this.#read(id, () => chunks.next());
      return first && resumed(first.value, chunks);
    } catch (error) {
      await chunks.return?.();
      throw error;
    }
  }

  /** Undefined when there is no such checkpoint in plaintext either. */
  metadata(id: string, options: CallOptions): Promise<{ readonly value: CheckpointMetadata } | undefined> {
    return this.#read(id, () => this.#plain.readMetadata(id, options));
  }

  /** Whether there is something in plaintext under the id, readable or not. */
  async has(id: string, options: CallOptions): Promise<boolean> {
    try {
      await this.#plain.readMetadata(id, options);
      return true;
    } catch (error) {
      if (isKeyfoldError(error, 'NOT_FOUND')) return false;
      if (isKeyfoldError(error, 'INTEGRITY_FAILURE')) return true;
      throw error;
    }
  }

  delete(id: string, options: CallOptions): Promise<boolean> {
    return this.#plain.delete(id, options);
  }

  /** Ids that have no encrypted record. */
  async *list(options: { readonly prefix?: string } & CallOptions): AsyncGenerator<string, void, undefined> {
    for await (const id of this.#plain.list(options)) {
      if (!(await this.#hasRecord(id, options))) yield id;
    }
  }

  /** Or something in its place: what is planted under one id must not end a listing. */
  async #hasRecord(id: string, { signal }: CallOptions): Promise<boolean> {
    try {
      return (await this.#context.records.get(id, { signal })) !== undefined;
    } catch (error) {
      if (isKeyfoldError(error, 'LIMIT_EXCEEDED')) return true;
      throw error;
    }
  }

  async #read<T>(id: string, read: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    const trail = new Trail(this.#context, 'checkpoint.read-plaintext', id);
    let value: T;
    try {
      value = await read();
    } catch (error) {
      if (isKeyfoldError(error, 'NOT_FOUND')) return undefined;
      await trail.failure(error);
      throw error;
    }
    this.#context.meter.increment('plaintextUses', { use: 'read' });
    await trail.success();
    return { value };
  }
}

async function* resumed(first: IteratorResult<Uint8Array>, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let step = first; step.done !== true; step = await rest.next()) yield step.value;
  } finally {
    await rest.return?.();
  }
}
