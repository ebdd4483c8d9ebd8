import type { Clock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';

interface Refusal {
  readonly error: KeyfoldError;
  readonly at: number;
}

/**
 * Unwraps that the KMS has refused, for a while: whoever plants records does not
 * decide how often the KMS is asked. Only a refusal of the wrap itself is
 * remembered, for asking again would give the same; what may pass (an outage,
 * throttling, a right that is not there yet) never is.
 */
export class Refusals {
  /** In order of time, oldest first. */
  readonly #entries = new Map<string, Refusal>();
  readonly #maxEntries: number;
  readonly #maxAgeMs: number;
  readonly #clock: Clock;

  constructor(limits: { readonly maxEntries: number; readonly maxAgeMs: number }, clock: Clock) {
    this.#maxEntries = limits.maxEntries;
    this.#maxAgeMs = limits.maxAgeMs;
    this.#clock = clock;
  }

  /** @throws KeyfoldError what the unwrap of this identity was refused with, if that is remembered */
  check(identity: string): void {
    const refusal = this.#entries.get(identity);
    if (refusal === undefined) return;
    const age = this.#clock.now() - refusal.at;
    // A clock that went backwards says nothing about age: ask anew.
    if (age >= 0 && age < this.#maxAgeMs) throw new KeyfoldError(refusal.error.code, refusal.error.message);
    this.#entries.delete(identity);
  }

  /** Remembers `error` if it is a refusal that would come again. */
  note(identity: string, error: unknown): void {
    if (this.#maxEntries < 1 || this.#maxAgeMs <= 0) return;
    if (!isKeyfoldError(error, 'INVALID_CIPHERTEXT') && !isKeyfoldError(error, 'INTEGRITY_FAILURE')) return;
    this.#entries.delete(identity);
    this.#entries.set(identity, { error, at: this.#clock.now() });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries) return;
      this.#entries.delete(oldest);
    }
  }

  forget(identity: string): void {
    this.#entries.delete(identity);
  }

  clear(): void {
    this.#entries.clear();
  }
}
