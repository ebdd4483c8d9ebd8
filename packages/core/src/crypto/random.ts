import { randomBytes as systemRandom } from 'node:crypto';

/** Where random bytes come from: the operating system's generator outside of tests. */
export interface RandomSource {
  bytes(length: number): Uint8Array;
}

/** The operating system's generator; each result has memory of its own. */
export const systemRandomSource: RandomSource = {
  bytes: (length) => new Uint8Array(systemRandom(length)),
};
