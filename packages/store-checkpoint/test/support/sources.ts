/** A source that goes on for ever, and tells how often it was ended. */
export class EndlessSource implements AsyncIterable<Uint8Array> {
  given = 0;
  ended = 0;

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        this.given++;
        yield await Promise.resolve(new Uint8Array(100_000));
      }
    } finally {
      this.ended++;
    }
  }
}

/** A source that gives one chunk and then never answers again, not even to be ended. */
export class StuckSource implements AsyncIterable<Uint8Array> {
  ended = 0;
  /** Resolves when it is asked for what it does not give. */
  readonly waitedFor: Promise<void>;
  readonly #chunk: Uint8Array;
  #reached: () => void = () => undefined;

  constructor(size: number) {
    this.#chunk = new Uint8Array(size);
    this.waitedFor = new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    let given = false;
    return {
      next: () => {
        if (given) {
          this.#reached();
          return new Promise(() => undefined);
        }
        given = true;
        return Promise.resolve({ done: false, value: this.#chunk });
      },
      return: () => {
        this.ended++;
        return new Promise(() => undefined);
      },
    };
  }
}

/** Gives `bytes` in all, then fails with `error`. */
export async function* failing(bytes: number, error: unknown): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = bytes; left > 0; left -= 100_000) yield await Promise.resolve(new Uint8Array(Math.min(left, 100_000)));
  throw error;
}
