import type { BufferFreer } from '@keyfold/core/provider';

/** Smaller chunks come and go faster than their memory could be kept for them. */
const WORTH_KEEPING = 65_536;
/** One is read into while one is opened; a store may read a little further ahead. */
const KEPT = 4;

/**
 * Memory that ciphertext is read into, opened from, and read into again, for as
 * long as one load takes. New memory for every chunk is new pages for every
 * chunk, and holes between what the reader keeps.
 */
export class ReadMemory {
  readonly #freer: BufferFreer;
  readonly #own = new WeakSet<ArrayBuffer>();
  readonly #spare: ArrayBuffer[] = [];
  #closed = false;

  constructor(freer: BufferFreer) {
    this.#freer = freer;
  }

  /** Memory for a chunk, or undefined where it is not worth it. Nobody else has it until it comes back. */
  take(bytes: number): Uint8Array | undefined {
    if (bytes < WORTH_KEEPING || this.#closed) return undefined;
    const fits = this.#spare.findIndex((buffer) => buffer.byteLength >= bytes);
    const [kept] = fits < 0 ? [] : this.#spare.splice(fits, 1);
    if (kept !== undefined) return new Uint8Array(kept, 0, bytes);
    const { buffer } = Buffer.allocUnsafeSlow(bytes);
    this.#own.add(buffer);
    return new Uint8Array(buffer);
  }

  /** Takes a chunk back that was opened, and frees one that a store brought along. */
  free(chunk: Uint8Array): void {
    const { buffer } = chunk;
    if (!(buffer instanceof ArrayBuffer) || !this.#own.has(buffer)) this.#freer.free(chunk);
    else if (!this.#closed && this.#spare.length < KEPT) this.#spare.push(buffer);
    else this.#freer.free(new Uint8Array(buffer));
  }

  /** Frees what came back. To be called when nothing is read any more. */
  close(): void {
    this.#closed = true;
    for (const buffer of this.#spare.splice(0)) this.#freer.free(new Uint8Array(buffer));
  }
}
