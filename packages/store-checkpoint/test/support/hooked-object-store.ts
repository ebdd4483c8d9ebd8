import type { ObjectInfo, ObjectStore } from '@keyfold/core';

export type Operation = 'put' | 'read' | 'open' | 'head' | 'delete';
export type Hook = (operation: Operation, name: string) => void | Promise<void>;

/** Passes everything on, keeps what was done in order, and lets a test come in between. */
export class HookedObjectStore implements ObjectStore {
  readonly capabilities = { conditionalWrites: true };
  /** What succeeded, in the order in which it did: `put job.kfk`. */
  readonly log: string[] = [];
  before: Hook | undefined;
  after: Hook | undefined;
  readonly #inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.#inner = inner;
  }

  async put(...args: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> {
    return this.#around('put', args[0], () => this.#inner.put(...args));
  }

  async read(...args: Parameters<ObjectStore['read']>): ReturnType<ObjectStore['read']> {
    return this.#around('read', args[0], () => this.#inner.read(...args));
  }

  async open(...args: Parameters<ObjectStore['open']>): ReturnType<ObjectStore['open']> {
    return this.#around('open', args[0], () => this.#inner.open(...args));
  }

  async head(...args: Parameters<ObjectStore['head']>): ReturnType<ObjectStore['head']> {
    return this.#around('head', args[0], () => this.#inner.head(...args));
  }

  async delete(...args: Parameters<ObjectStore['delete']>): ReturnType<ObjectStore['delete']> {
    return this.#around('delete', args[0], () => this.#inner.delete(...args));
  }

  list(...args: Parameters<ObjectStore['list']>): AsyncIterable<ObjectInfo> {
    return this.#inner.list(...args);
  }

  async #around<T>(operation: Operation, name: string, run: () => Promise<T>): Promise<T> {
    await this.before?.(operation, name);
    const result = await run();
    this.log.push(`${operation} ${name}`);
    await this.after?.(operation, name);
    return result;
  }
}
