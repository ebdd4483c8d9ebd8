import { randomFillSync } from 'node:crypto';
import type { RandomSource } from './random.ts';

const POOL_BYTES = 4_096;

/**
 * The operating system's generator asked for 4 KiB at a time: for salts, which
 * are public. Each byte is given out once and overwritten in the pool.
 */
export class RandomPool implements RandomSource {
  readonly #pool = new Uint8Array(POOL_BYTES);
  #used = POOL_BYTES;

  /** @param length at most 4,096 */
  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) throw new RangeError('A RandomPool gives at most 4,096 bytes at once.');
    if (this.#used + length > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const out = this.#pool.slice(this.#used, this.#used + length);
    this.#pool.fill(0, this.#used, this.#used + length);
    this.#used += length;
    return out;
  }
}
