import { randomFillSync } from 'node:crypto';

/** Where random bytes come from: the operating system's generator outside of tests. */
export interface RandomSource {
  /** `length` random bytes in memory of their own. */
  bytes(length: number): Uint8Array;
}

/** The operating system's generator; each result has memory of its own. */
export const systemRandomSource: RandomSource = {
  // Filled in place: a second copy could not be zeroed by whoever owns the first.
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};
