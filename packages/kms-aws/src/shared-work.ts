import { throwIfAborted } from '@keyfold/core/provider';

/**
 * Work that several callers wait for. Who gives up waiting does not end it for
 * the others; when all have given up, it is aborted.
 */
export class SharedWork {
  readonly #gate = new AbortController();
  readonly #work: Promise<void>;
  #waiting = 0;
  #over = false;

  constructor(run: (signal: AbortSignal) => Promise<void>) {
    this.#work = run(this.#gate.signal).finally(() => {
      this.#over = true;
    });
    // Whoever still waits sees the failure; when nobody does, nobody has to.
    this.#work.catch(() => undefined);
  }

  /** Whether it has ended or was given up: then there is nothing to wait for. */
  get over(): boolean {
    return this.#over;
  }

  /** @throws KeyfoldError ABORTED, and what the work throws */
  async join(signal: AbortSignal | undefined): Promise<void> {
    this.#waiting++;
    let stop = (): void => undefined;
    const aborted = new Promise<void>((resolve) => {
      stop = resolve;
    });
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([this.#work, aborted]);
      throwIfAborted(signal);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#leave();
    }
  }

  #leave(): void {
    this.#waiting--;
    if (this.#waiting > 0 || this.#over) return;
    this.#over = true;
    this.#gate.abort();
  }
}
