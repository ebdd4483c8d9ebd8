import type { ByteRange, ObjectStore, OpenObject } from '@keyfold/core';
import { HookedObjectStore } from './hooked-object-store.ts';

/** Counts what is opened of large objects, and what of it is read. */
export class CountingObjectStore extends HookedObjectStore {
  readonly ranges: (ByteRange | undefined)[] = [];
  bytesRead = 0;
  /** Objects that were opened and neither read to the end nor cancelled. */
  held = 0;

  override async open(...args: Parameters<ObjectStore['open']>): ReturnType<ObjectStore['open']> {
    const object = await super.open(...args);
    this.ranges.push(args[1]?.range);
    if (object === undefined) return undefined;
    this.held++;
    let done = false;
    const release = (): void => {
      if (!done) this.held--;
      done = true;
    };
    return { ...object, body: this.#counted(object, release), cancel: () => object.cancel().finally(release) };
  }

  async *#counted(object: OpenObject, release: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of object.body) {
        this.bytesRead += chunk.byteLength;
        yield chunk;
      }
    } finally {
      release();
    }
  }
}
