import { isKeyfoldError, throwIfAborted, type Clock } from '@keyfold/core/provider';
import { listAliases } from './alias-listing.ts';
import { keyIdBeside, type ResolvedKey } from './key-name.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';

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
  #reading: Promise<void> | undefined;

  constructor(calls: KmsCalls, alias: ResolvedKey, clock: Clock) {
    this.#calls = calls;
    this.#alias = alias;
    this.#clock = clock;
  }

  /** Whether a key is among them; asks AWS when that is not known, or not lately. */
  async allows(keyId: string, { signal }: SignalOptions): Promise<boolean> {
    const known = this.#known.has(keyId);
    const age = this.#readAt === undefined ? undefined : this.#clock.now() - this.#readAt;
    // A clock that was set back says nothing about age: read anew.
    if (age !== undefined && age >= 0 && age < (known ? MAX_AGE_MS : MIN_GAP_MS)) return known;
    try {
      await this.#refresh(signal);
    } catch (error) {
      // What AWS said before holds while it says nothing.
      if (known && (isKeyfoldError(error, 'KMS_UNAVAILABLE') || isKeyfoldError(error, 'KMS_THROTTLED'))) return true;
      throw error;
    }
    return this.#known.has(keyId);
  }

  /** One listing for all who wait for it; who gives up waiting does not end it for the others. */
  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await untilAborted(this.#reading, signal);
  }

  async #read(): Promise<void> {
    const startedAt = this.#clock.now();
    const { current, numbered } = await listAliases(this.#calls, this.#alias, {});
    const known = new Set(numbered.map(({ keyId }) => keyId));
    if (current !== undefined) known.add(current);
    // Listings lag behind a moved alias, and never show another account's: ask for its key, too.
    const direct = await this.#target();
    if (direct !== undefined) known.add(direct);
    this.#known = known;
    this.#readAt = startedAt;
  }

  async #target(): Promise<string | undefined> {
    const { KeyMetadata: metadata } = await this.#calls.call('DescribeKey', {}, (api, options) =>
      api.describeKey({ KeyId: this.#alias.arn }, options),
    );
    return keyIdBeside(this.#alias, metadata?.Arn);
  }
}

async function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  if (signal === undefined) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  throwIfAborted(signal);
}
