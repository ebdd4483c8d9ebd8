import type { Clock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';

interface Refusal {
  readonly error: KeyfoldError;
  readonly at: number;
  /** The one unwrap that speaks for it so far; undefined when it counts. */
  readonly suspectedBy: object | undefined;
}

/**
 * What was refused, for a while: unwraps by the KMS, and records by the DEK that
 * their wrap gave. Whoever plants records does not decide how often the KMS is
 * asked. Only a refusal that would come again is remembered; what may pass (an
 * outage, throttling, a right that is not there yet) never is, and being asked
 * about it again does not keep a refusal longer.
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

  /** @throws KeyfoldError what this identity was refused with, if that is remembered */
  check(identity: string): void {
    const refusal = this.#fresh(identity);
    if (refusal !== undefined && refusal.suspectedBy === undefined) throw new KeyfoldError(refusal.error.code, refusal.error.message);
  }

  /** Remembers `error` if it is a refusal that would come again. */
  note(identity: string, error: unknown): void {
    if (!isKeyfoldError(error, 'INVALID_CIPHERTEXT') && !isKeyfoldError(error, 'INTEGRITY_FAILURE')) return;
    this.#keep(identity, { error, at: this.#clock.now(), suspectedBy: undefined });
  }

  /**
   * Remembers `error` once a second unwrap has led to it: after the first the KMS
   * may have answered wrongly, and then what is refused is good.
   * @param unwrap tells one unwrap from another
   */
  suspect(identity: string, error: KeyfoldError, unwrap: object): void {
    const before = this.#fresh(identity);
    const suspectedBy = before === undefined ? unwrap : undefined;
    // Remembered already, and not for longer now; or another reader who waited for the same unwrap.
    if (before !== undefined && (before.suspectedBy === undefined || before.suspectedBy === unwrap)) return;
    this.#keep(identity, { error, at: this.#clock.now(), suspectedBy });
  }

  #fresh(identity: string): Refusal | undefined {
    const refusal = this.#entries.get(identity);
    if (refusal === undefined) return undefined;
    const age = this.#clock.now() - refusal.at;
    // A clock that went backwards says nothing about age: ask anew.
    if (age >= 0 && age < this.#maxAgeMs) return refusal;
    this.#entries.delete(identity);
    return undefined;
  }

  #keep(identity: string, refusal: Refusal): void {
    if (this.#maxEntries < 1 || this.#maxAgeMs <= 0) return;
    this.#entries.delete(identity);
    this.#entries.set(identity, refusal);
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
