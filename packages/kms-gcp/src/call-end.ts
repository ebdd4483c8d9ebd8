import { KeyfoldError } from '@keyfold/core/provider';

/**
 * The end of one call: when the caller's signal fires, the time is up or the client
 * is closed, whichever comes first. The timer is our own, because the SDK's does not count the time until it
 * has credentials.
 */
export class CallEnd {
  readonly #gate = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #callers: AbortSignal | undefined;
  /** Lets it come now. */
  readonly come = (): void => {
    this.#gate.abort();
  };

  constructor(callers: AbortSignal | undefined, timeoutMs: number) {
    this.#callers = callers;
    this.#timer = setTimeout(this.come, timeoutMs);
    callers?.addEventListener('abort', this.come, { once: true });
  }

  /** Fires when the call has ended, for what is under way. */
  get signal(): AbortSignal {
    return this.#gate.signal;
  }

  /**
   * Work, unless the end comes first.
   * @param discard takes what comes after the end
   * @throws KeyfoldError KMS_UNAVAILABLE at the end
   */
  async orEnd<T>(work: Promise<T>, discard?: (late: T) => void): Promise<T> {
    const { signal } = this.#gate;
    let stop = (): void => undefined;
    const ended = new Promise<never>((_, reject) => {
      stop = () => {
        work.then(discard, () => undefined);
        reject(new KeyfoldError('KMS_UNAVAILABLE', 'Google Cloud KMS did not answer in time. Try again; if this lasts, check the network and endpoint.'));
      };
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Nobody waits any longer. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#callers?.removeEventListener('abort', this.come);
  }
}
