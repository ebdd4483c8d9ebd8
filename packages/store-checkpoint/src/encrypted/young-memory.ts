/** So much may wait for the collector before it is reminded. */
const UNREMINDED_BYTES = 4_194_304;
/** Of its own heap for each chunk's memory outside of it: an eighth. */
const SHARE = 8;
const ARRAY_BYTES = 8_192;
const BYTES_PER_ELEMENT = 8;

/**
 * V8 collects young objects when enough of its own heap was allocated. A chunk
 * of a mebibyte is a few hundred bytes there, so chunks that nobody refers to
 * any more come to 32 MiB (Node 20) or 64 MiB and more (later) before it looks.
 * A little heap that is thrown away at once brings the collection forward, which
 * costs less than the new pages that it saves. Where the process lets its young
 * generation grow large, V8's own limits come first and this changes nothing.
 */
export class YoungMemory {
  #handedOut = 0;
  /** Kept so that no compiler finds out that nobody needs it. */
  readonly #last: unknown[] = [];

  /** To be told of each chunk when the next is asked for; one that was freed meanwhile has no bytes. */
  handedOut(chunk: Uint8Array): void {
    this.#handedOut += chunk.byteLength;
    if (this.#handedOut <= UNREMINDED_BYTES) return;
    for (let bytes = chunk.byteLength / SHARE; bytes >= ARRAY_BYTES; bytes -= ARRAY_BYTES) this.#last[0] = new Array(ARRAY_BYTES / BYTES_PER_ELEMENT);
  }
}
