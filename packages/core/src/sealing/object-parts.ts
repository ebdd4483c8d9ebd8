import { ByteQueue } from '../byte-queue.ts';
import { isKeyfoldError } from '../errors.ts';
import type { ByteRange, OpenObject } from '../ports/object-store.ts';

/** Opens bytes of one and the same object; undefined when it is absent. */
export type OpenPart = (range: ByteRange) => Promise<OpenObject | undefined>;

/**
 * Several reads of one object. What the storage says of it is a claim, but the
 * same claim every time; a read that contradicts it is the caller's failure.
 */
export class ObjectParts {
  readonly #openPart: OpenPart;
  readonly #failure: () => Error;
  #first: OpenObject | undefined;

  constructor(openPart: OpenPart, failure: () => Error) {
    this.#openPart = openPart;
    this.#failure = failure;
  }

  /** Bytes of the whole object; 0 before the first read. */
  get size(): number {
    return this.#first?.size ?? 0;
  }

  async open(range: ByteRange): Promise<OpenObject | undefined> {
    const object = await this.#openPart(range).catch((error: unknown) => {
      // The caller's range was translated to this one by what the object claimed to be.
      throw isKeyfoldError(error, 'RANGE_INVALID') ? this.#failure() : error;
    });
    if (object === undefined) return undefined;
    this.#first ??= object;
    if (object.size === this.#first.size && object.identity === this.#first.identity) return object;
    await object.cancel();
    throw this.#failure();
  }

  /** Exactly the bytes of `range`. */
  async read(range: ByteRange): Promise<Uint8Array | undefined> {
    const object = await this.open(range);
    if (object === undefined) return undefined;
    const length = range.end - range.start;
    const queue = new ByteQueue();
    for await (const chunk of object.body) {
      queue.push(chunk);
      if (queue.byteLength > length) break;
    }
    if (queue.byteLength !== length) throw this.#failure();
    return queue.take(length);
  }
}
