import type { Clock } from '../clock.ts';
import type { Timers } from '../kms/timers.ts';

interface Pending {
  leftMs: number;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it, and timers that go off when it is moved. */
export class ManualClock implements Clock, Timers {
  #now: number;
  readonly #pending = new Set<Pending>();

  /** @param start Unix milliseconds */
  constructor(start = 1_700_000_000_000) {
    this.#now = start;
  }

  /** Where the test has moved it to, in Unix milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Milliseconds that are left until each timer that is set goes off, shortest first. */
  get timers(): readonly number[] {
    return [...this.#pending].map(({ leftMs }) => leftMs).sort((a, b) => a - b);
  }

  /** Calls `run` once the clock was advanced by `ms`, unless the function that it gives back is called before. */
  after(ms: number, run: () => void): () => void {
    const pending = { leftMs: ms, run };
    this.#pending.add(pending);
    return () => {
      this.#pending.delete(pending);
    };
  }

  /** Moves it, and lets go off what is due, in order. Set back with a negative number, it leaves the timers as they are. */
  advance(ms: number): void {
    this.#now += ms;
    if (ms < 0) return;
    for (const pending of this.#pending) pending.leftMs -= ms;
    const due = [...this.#pending].filter(({ leftMs }) => leftMs <= 0).sort((a, b) => a.leftMs - b.leftMs);
    for (const pending of due) {
      // One that goes off may cancel another.
      if (this.#pending.delete(pending)) pending.run();
    }
  }
}
