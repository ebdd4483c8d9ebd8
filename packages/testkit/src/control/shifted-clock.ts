import type { Clock } from '@keyfold/core/provider';

/** The machine's clock, put forward by hand: for a server in a process of its own. */
export class ShiftedClock implements Clock {
  readonly #base: Clock;
  #shift = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now() + this.#shift;
  }

  /** Puts it forward. */
  advance(ms: number): void {
    this.#shift += ms;
  }
}
