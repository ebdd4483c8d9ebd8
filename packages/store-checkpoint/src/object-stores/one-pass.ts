import { KeyfoldError } from '@keyfold/core/provider';

/**
 * The chunks of an open object, to be iterated once. Whatever ends it (the last
 * chunk, an error, a loop left early, `cancel`) calls `close` first, also when
 * not one chunk was asked for; a plain generator's `finally` would not run then.
 */
export class OnePass implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #close: () => Promise<void>;
  #taken = false;
  #cancelled = false;

  constructor(chunks: AsyncGenerator<Uint8Array, void, undefined>, close: () => Promise<void>) {
    this.#chunks = chunks;
    this.#close = close;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    if (this.#taken) {
      throw new KeyfoldError('INVALID_ARGUMENT', 'The body of an open object can be iterated once; open it again.');
    }
    this.#taken = true;
    return {
      next: async () => {
        if (this.#cancelled) throw cancelled();
        try {
          const result = await this.#chunks.next();
          if (result.done === true) await this.#close();
          return result;
        } catch (error) {
          await this.#close();
          throw this.#wasCancelled() ? cancelled() : error;
        }
      },
      return: async () => {
        await this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  async cancel(): Promise<void> {
    this.#cancelled = true;
    await this.#close();
  }

  #wasCancelled(): boolean {
    return this.#cancelled;
  }
}

function cancelled(): KeyfoldError {
  return new KeyfoldError('ABORTED', 'The open object was cancelled before its body was read.');
}
