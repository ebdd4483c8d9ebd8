/** Bytes that arrive in chunks of any size and leave in pieces of wanted sizes, copied only across a seam. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
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
    if (length > this.#length) throw new RangeError('ByteQueue: more bytes asked for than are there.');
    this.#length -= length;
    const first = this.#chunks[0];
    if (first !== undefined && first.byteLength >= length) {
      this.#advance(first, length);
      return first.subarray(0, length);
    }
    const joined = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, length - filled);
      joined.set(part, filled);
      filled += part.byteLength;
      this.#advance(chunk, part.byteLength);
    }
    return joined;
  }

  #advance(first: Uint8Array, by: number): void {
    if (by === first.byteLength) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(by);
  }
}
