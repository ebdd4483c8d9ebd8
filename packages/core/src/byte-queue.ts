const SPENT = new Uint8Array(0);

/** Bytes that arrive in chunks of any size and leave in pieces of wanted sizes, copied only across a seam. */
export class ByteQueue {
  readonly #chunks: Uint8Array[] = [];
  /** Where in `#chunks` the next bytes are: shift() on a long array costs its whole length. */
  #head = 0;
  #length = 0;

  get byteLength(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  /** The next `length` bytes: a view when one chunk holds them all. */
  take(length: number): Uint8Array {
    if (!(length >= 0 && length <= this.#length)) throw new RangeError('ByteQueue: more bytes asked for than are there.');
    this.#length -= length;
    const first = this.#chunks[this.#head];
    if (first !== undefined && first.byteLength >= length) {
      this.#advance(first, length);
      return first.subarray(0, length);
    }
    const joined = new Uint8Array(length);
    let filled = 0;
    for (let chunk = first; chunk !== undefined && filled < length; chunk = this.#chunks[this.#head]) {
      const part = chunk.subarray(0, length - filled);
      joined.set(part, filled);
      filled += part.byteLength;
      this.#advance(chunk, part.byteLength);
    }
    return joined;
  }

  #advance(first: Uint8Array, by: number): void {
    if (by < first.byteLength) {
      this.#chunks[this.#head] = first.subarray(by);
      return;
    }
    this.#chunks[this.#head++] = SPENT;
    // Half of the array is spent: drop that half, at a cost that each chunk bears once.
    if (this.#head * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
