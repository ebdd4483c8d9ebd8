/** Waits that a test can end by hand. */
export interface Timers {
  /**
   * Calls `run` once, `ms` milliseconds from now at the earliest, unless the
   * function that it gives back is called before. Not moved by the wall clock.
   */
  after(ms: number, run: () => void): () => void;
}

/** The machine's timers. They keep the process alive: somebody waits for what they end. */
export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
