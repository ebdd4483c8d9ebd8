import type { Clock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError, throwIfAborted } from '../errors.ts';
import type { Meter } from '../ports/metrics-sink.ts';
import { type Answer, discardQuietly, refuseBad } from './answers.ts';
import { CallEnd } from './call-end.ts';
import type { KmsOperation, RetryPolicy } from './retry-policy.ts';
import type { Timers } from './timers.ts';

/** What every call of one guarded client shares. */
export interface CallGuardParts {
  readonly provider: string;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly timers: Timers;
  /** For a call with all its attempts and waits. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
}

/** One call to a KMS, and how it is to be made. */
export interface GuardedCall<T> {
  readonly operation: KmsOperation;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Makes one attempt. */
  readonly run: (signal: AbortSignal) => Promise<T>;
  readonly answer?: Answer<T>;
  /** Whatever happens, it is not made again. */
  readonly once?: true;
}

/** Makes calls: each of them ends in time, is measured, and is made again where that helps. */
export class CallGuard {
  readonly #parts: CallGuardParts;

  constructor(parts: CallGuardParts) {
    this.#parts = parts;
  }

  /** @throws KeyfoldError whatever the provider throws */
  async call<T>(call: GuardedCall<T>): Promise<T> {
    throwIfAborted(call.signal);
    const { timers, timeoutMs, clock } = this.#parts;
    const started = clock.now();
    const end = new CallEnd(call.signal, timers, timeoutMs, () => this.#unanswered(timeoutMs));
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          // Nothing lies between this and the attempt's own look at the end.
          end.throwIfOver();
          return await this.#attempt(call, attempt, end);
        } catch (error) {
          await this.#beforeNext(call, attempt, this.#typed(error, call.operation), { end, started });
        }
      }
    } finally {
      end.release();
    }
  }

  /** Waits until the next attempt is due; throws the error of the last one when there is none. */
  async #beforeNext<T>({ operation, once }: GuardedCall<T>, attempt: number, error: KeyfoldError, { end, started }: { end: CallEnd; started: number }): Promise<void> {
    const { retry, meter, clock, timeoutMs, provider } = this.#parts;
    const delay = once === true || end.reason !== undefined ? undefined : retry.delayAfter(operation, attempt, error.code);
    // The wall clock only spares a wait that would be for nothing: the end itself comes by a timer.
    if (delay === undefined || clock.now() - started + delay >= timeoutMs) throw error;
    await end.wait(delay, error);
    meter.increment('kmsRetries', { provider, operation, code: error.code });
  }

  /** One attempt, measured. */
  async #attempt<T>(call: GuardedCall<T>, attempt: number, end: CallEnd): Promise<T> {
    const { clock, meter, provider } = this.#parts;
    const { operation, answer } = call;
    const started = clock.now();
    const measure = (outcome: 'success' | 'failure'): void => {
      // A wall clock may have been set back meanwhile.
      meter.observe('kmsCallSeconds', Math.max(0, clock.now() - started) / 1000, { provider, operation, outcome });
    };
    try {
      const result = await this.#bounded(call, attempt, end);
      refuseBad(provider, result, answer);
      measure('success');
      return result;
    } catch (error) {
      measure('failure');
      throw error;
    }
  }

  /** Ends on time even when the provider ignores its signal; a key that it gives later is zeroed. */
  async #bounded<T>({ run, answer, operation, once }: GuardedCall<T>, attempt: number, end: CallEnd): Promise<T> {
    const { retry, timers, timeoutMs } = this.#parts;
    const ownMs = once === true ? undefined : retry.timeoutOf(operation, attempt);
    const gate = new AbortController();
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const stop = (error: KeyfoldError): void => {
        over = true;
        release();
        reject(error);
        gate.abort(error);
      };
      const forget = end.whenOver(stop);
      const cancel =
        ownMs === undefined || ownMs >= timeoutMs
          ? undefined
          : timers.after(ownMs, () => {
              stop(this.#unanswered(ownMs));
            });
      const release = (): void => {
        forget();
        cancel?.();
      };
      begin(() => run(gate.signal))
        .then((result) => {
          if (over) discardQuietly(result, answer);
          else resolve(result);
        }, reject)
        .finally(release);
    });
  }

  #typed(error: unknown, operation: KmsOperation): KeyfoldError {
    return isKeyfoldError(error)
      ? error
      : new KeyfoldError('KMS_UNAVAILABLE', `The ${this.#parts.provider} KMS failed in an unexpected way during ${operation}.`, { cause: error });
  }

  #unanswered(ms: number): KeyfoldError {
    return new KeyfoldError('KMS_UNAVAILABLE', `The ${this.#parts.provider} KMS did not answer within ${ms} ms. Check the network and the service's status, then try again.`);
  }
}

/** Runs at once; what it throws at once becomes a rejection. */
export function begin<T>(run: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((settle) => {
    settle(run());
  });
}
