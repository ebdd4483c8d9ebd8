/** The time, in milliseconds since the Unix epoch; tests pass one that they move by hand. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
}

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() };
