import type { Clock } from '../clock.ts';

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;

  /** @param start Unix milliseconds */
  constructor(start = 1_700_000_000_000) {
    this.#now = start;
  }

  /** Where the test has moved it to, in Unix milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Moves it; backwards with a negative number. */
  advance(ms: number): void {
    this.#now += ms;
  }
}
