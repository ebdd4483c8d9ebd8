import { isKeyfoldError, throwIfAborted, type Clock } from '@keyfold/core/provider';
import { listAliases } from './alias-listing.ts';
import { keyIdBeside, type ResolvedKey } from './key-name.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import { SharedWork } from './shared-work.ts';

/** Milliseconds for which a listing is believed: how long a key whose alias was removed may still unwrap. */
const MAX_AGE_MS = 300_000;
/** Milliseconds between two listings because of names that none of them has: planted records cost no more calls than that. */
const MIN_GAP_MS = 5_000;

/**
 * The keys that may unwrap for an alias: what `alias/app` and `alias/app-v*`
 * point at in AWS. A record only chooses among them.
 */
export class AliasTargets {
  readonly #calls: KmsCalls;
  readonly #alias: ResolvedKey;
  readonly #clock: Clock;
  #known: ReadonlySet<string> = new Set();
  #readAt: number | undefined;
  #reading: SharedWork | undefined;

  constructor(calls: KmsCalls, alias: ResolvedKey, clock: Clock) {
    this.#calls = calls;
    this.#alias = alias;
    this.#clock = clock;
  }

  /**
   * Whether a key is among them; asks AWS when that is not known, or not lately.
   * @param namedBy who named the key: what a record names costs a limited number of calls
   */
  async allows(keyId: string, namedBy: 'record' | 'service', { signal }: SignalOptions): Promise<boolean> {
    throwIfAborted(signal);
    const known = this.#known.has(keyId);
    if (this.#isFresh(known ? MAX_AGE_MS : namedBy === 'record' ? MIN_GAP_MS : 0)) return known;
    try {
      if (this.#reading?.over !== false) this.#reading = new SharedWork((shared) => this.#read({ signal: shared }));
      await this.#reading.join(signal);
    } catch (error) {
      // What AWS said before holds while it says nothing.
      if (known && (isKeyfoldError(error, 'KMS_UNAVAILABLE') || isKeyfoldError(error, 'KMS_THROTTLED'))) return true;
      throw error;
    }
    return this.#known.has(keyId);
  }

  #isFresh(maxAgeMs: number): boolean {
    if (this.#readAt === undefined) return false;
    const age = this.#clock.now() - this.#readAt;
    // A clock that was set back says nothing about age: read anew.
    return age >= 0 && age < maxAgeMs;
  }

  async #read(signals: SignalOptions): Promise<void> {
    const startedAt = this.#clock.now();
    const { current, numbered } = await listAliases(this.#calls, this.#alias, signals);
    // Listings lag behind a moved alias, and never show another account's: ask for its key, too.
    const { KeyMetadata: metadata } = await this.#calls.call('DescribeKey', signals, (api, options) =>
      api.describeKey({ KeyId: this.#alias.arn }, options),
    );
    const targets = [current, keyIdBeside(this.#alias, metadata?.Arn), ...numbered.map(({ keyId }) => keyId)];
    this.#known = new Set(targets.filter((keyId) => keyId !== undefined));
    this.#readAt = startedAt;
  }
}
