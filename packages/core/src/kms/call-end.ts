import { KeyfoldError } from '../errors.ts';
import type { Timers } from './timers.ts';

/** When a call ends at the latest, with all its attempts and waits: its caller aborts, or its time is up. */
export class CallEnd {
  readonly #timers: Timers;
  readonly #caller: AbortSignal | undefined;
  readonly #cancelDeadline: () => void;
  #reason: KeyfoldError | undefined;
  /** What is under way: an attempt or a wait, never both. */
  #stop: ((reason: KeyfoldError) => void) | undefined;

  /** @param tooLate what the call ends with when its time is up */
  constructor(caller: AbortSignal | undefined, timers: Timers, timeoutMs: number, tooLate: () => KeyfoldError) {
    this.#timers = timers;
    this.#caller = caller;
    this.#cancelDeadline = timers.after(timeoutMs, () => {
      this.#end(tooLate());
    });
    caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The error that the call ended with, once it is over. */
  get reason(): KeyfoldError | undefined {
    return this.#reason;
  }

  /** @throws KeyfoldError what the call ended with, if it is over */
  throwIfOver(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** Calls `stop` at the end, which has not come yet, unless the function that it gives back is called before. */
  whenOver(stop: (reason: KeyfoldError) => void): () => void {
    this.#stop = stop;
    return () => {
      // An attempt that was given up may let go late, when another is under way.
      if (this.#stop === stop) this.#stop = undefined;
    };
  }

  /** Waits between two attempts. Rejects at once with ABORTED, and with `last` when the time is up. */
  async wait(ms: number, last: KeyfoldError): Promise<void> {
    if (ms === 0) return;
    await new Promise<void>((resolve, reject) => {
      const forget = this.whenOver((reason) => {
        cancel();
        reject(reason.code === 'ABORTED' ? reason : last);
      });
      const cancel = this.#timers.after(ms, () => {
        forget();
        resolve();
      });
    });
  }

  /** Lets go of the timer and of the caller's signal. */
  release(): void {
    this.#cancelDeadline();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  #end(reason: KeyfoldError): void {
    this.#reason = reason;
    this.#stop?.(reason);
  }

  readonly #onAbort = (): void => {
    this.#end(new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.'));
  };
}
