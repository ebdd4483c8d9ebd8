/** Called once with a chunk that nothing reads any more. */
export type Release = (chunk: Uint8Array) => void;

/** One write: large enough to be worth its call, small enough to overlap with the next. */
export const IO_BYTES = 1_048_576;

/** Smaller pieces are copied together: in a vector they would cost more than the copy. */
export const BORROWED_BYTES = 65_536;

/** Adjacent pieces for one write. */
export interface Batch {
  /** Where in the file it begins. */
  readonly position: number;
  readonly pieces: readonly Uint8Array[];
  /** To be called once, when no write is under way that reads the pieces: their memory may be gone then. */
  done(): void;
}

/** A chunk that came with `release`, until the last batch with a part of it is done. */
class Borrowed {
  readonly #chunk: Uint8Array;
  readonly #release: Release;
  #users = 0;
  #whole = false;

  constructor(chunk: Uint8Array, release: Release) {
    this.#chunk = chunk;
    this.#release = release;
  }

  use(): void {
    this.#users += 1;
  }

  /** Every part is in a batch now. */
  end(): void {
    this.#whole = true;
    this.#releaseIfUnused();
  }

  unuse(): void {
    this.#users -= 1;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (this.#whole && this.#users === 0) this.#release(this.#chunk);
  }
}

/** Turns chunks into batches that end at whole IO_BYTES of the file, without joining what is large. */
export class Batcher {
  /** Memory for copies, each of IO_BYTES: more is never copied into one batch. */
  readonly #spare: Uint8Array[] = [];
  #position = 0;
  #size = 0;
  #pieces: Uint8Array[] = [];
  #borrowed: Borrowed[] = [];
  #copies: Uint8Array | undefined;
  #copied = 0;
  /** Where in `#copies` the bytes begin that are in no piece yet. */
  #unlisted = 0;

  /** The batches that `chunk` completes. The next is asked for when the one before was taken over. */
  *add(chunk: Uint8Array, release: Release | undefined): Generator<Batch, void, undefined> {
    const borrowed = release !== undefined && chunk.byteLength >= BORROWED_BYTES ? new Borrowed(chunk, release) : undefined;
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + IO_BYTES - this.#size);
      taken += part.byteLength;
      this.#put(part, borrowed, chunk.byteLength >= BORROWED_BYTES && this.#size + part.byteLength === IO_BYTES);
      if (this.#size === IO_BYTES) yield this.#take();
    }
    if (borrowed !== undefined) borrowed.end();
    else release?.(chunk);
  }

  /** What does not fill a batch. */
  rest(): Batch | undefined {
    return this.#size === 0 ? undefined : this.#take();
  }

  #put(part: Uint8Array, borrowed: Borrowed | undefined, isWrittenAtOnce: boolean): void {
    this.#size += part.byteLength;
    if (borrowed !== undefined || isWrittenAtOnce) {
      this.#listCopies();
      this.#pieces.push(part);
      if (borrowed === undefined) return;
      borrowed.use();
      this.#borrowed.push(borrowed);
      return;
    }
    this.#copies ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(IO_BYTES);
    this.#copies.set(part, this.#copied);
    this.#copied += part.byteLength;
  }

  #listCopies(): void {
    if (this.#copies === undefined || this.#copied === this.#unlisted) return;
    this.#pieces.push(this.#copies.subarray(this.#unlisted, this.#copied));
    this.#unlisted = this.#copied;
  }

  #take(): Batch {
    this.#listCopies();
    const copies = this.#copies;
    const borrowed = this.#borrowed;
    const batch = {
      position: this.#position,
      pieces: this.#pieces,
      done: (): void => {
        if (copies !== undefined) this.#spare.push(copies);
        for (const one of borrowed) one.unuse();
      },
    };
    this.#position += this.#size;
    this.#size = 0;
    this.#pieces = [];
    this.#borrowed = [];
    this.#copies = undefined;
    this.#copied = 0;
    this.#unlisted = 0;
    return batch;
  }
}
