import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import { KeyfoldError, throwIfAborted } from '../errors.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { Refusals } from './refusals.ts';

/** How many keys a KeyCache holds, for how long and for how much. */
export interface KeyCacheOptions {
  /** Keys held at most; the least recently used goes first. Default 100; 0 switches the cache off. */
  readonly maxEntries?: number;
  /** Milliseconds from the unwrap until a key must be unwrapped anew. Default 300,000 (5 minutes). */
  readonly maxAgeMs?: number;
  /** Uses of one unwrap, at least 1. Default unlimited. */
  readonly maxUses?: number;
  /** Bytes opened under one unwrap. Default unlimited. */
  readonly maxBytes?: number;
  /** Refused unwraps remembered at most, and as many records that their DEKs refused; the oldest goes first. Default 1,000; 0 remembers none. */
  readonly maxRefusals?: number;
  /** Milliseconds for which what was refused is not tried again, counted from the refusal. Default 60,000. */
  readonly refusalMaxAgeMs?: number;
  readonly clock?: Clock;
}

/** A key on loan. It stays usable until released, even when the cache evicts it meanwhile. */
export interface KeyLease {
  readonly key: SecretBytes;
  /** Counts bytes that were opened under the key towards `maxBytes`. */
  addBytes(count: number): void;
  /** Gives it back; calling it again does nothing. */
  release(): void;
}

interface Entry {
  readonly key: SecretBytes;
  readonly loadedAt: number;
  uses: number;
  bytes: number;
  /** Loans, and reservations of those who waited for the unwrap. */
  leases: number;
  evicted: boolean;
}

/** An unwrap under way. */
interface Flight {
  readonly entry: Promise<Entry>;
  waiters: number;
  /** Evicted before it arrived: serves those who wait already, and is neither joined nor kept. */
  stale: boolean;
}

/**
 * Unwrapped DEKs, so that repeated loads need no KMS call. Entries are found by
 * their full identity alone (everything that decided the unwrap), concurrent
 * misses of one identity share one unwrap, and a key is zeroed as soon as it is
 * evicted and no longer on loan.
 */
export class KeyCache {
  /** In order of use, oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new Map<string, Flight>();
  readonly #refusals: Refusals;
  readonly #refusedRecords: Refusals;
  readonly #maxEntries: number;
  readonly #maxAgeMs: number;
  readonly #maxUses: number;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  #closed = false;

  /** @throws KeyfoldError CONFIG_INVALID for a limit that is negative or no number */
  constructor(options: KeyCacheOptions = {}) {
    this.#maxEntries = limit('maxEntries', options.maxEntries, 100);
    this.#maxAgeMs = limit('maxAgeMs', options.maxAgeMs, 300_000);
    this.#maxUses = limit('maxUses', options.maxUses, Number.POSITIVE_INFINITY, 1);
    this.#maxBytes = limit('maxBytes', options.maxBytes, Number.POSITIVE_INFINITY);
    this.#clock = options.clock ?? systemClock;
    const refusals = {
      maxEntries: limit('maxRefusals', options.maxRefusals, 1_000),
      maxAgeMs: limit('refusalMaxAgeMs', options.refusalMaxAgeMs, 60_000),
    };
    this.#refusals = new Refusals(refusals, this.#clock);
    this.#refusedRecords = new Refusals(refusals, this.#clock);
  }

  /** Keys held now. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The key of `identity`, from the cache or from `load`.
   * @param identity everything that decided the unwrap, see {@link keyIdentity}
   * @param permit the reader's policy, asked on every hit as on every miss; it throws to refuse
   * @param load unwraps; the key that it resolves to becomes the cache's to zero. It serves
   *   everybody who waits, so one caller's `signal` ends that caller's wait and not the unwrap.
   * @throws KeyfoldError CLOSED, ABORTED, and whatever `permit` and `load` throw. Of failures only
   *   INVALID_CIPHERTEXT and INTEGRITY_FAILURE are remembered, for a while: they would come again
   */
  async acquire(
    identity: string,
    permit: () => void,
    load: () => Promise<SecretBytes>,
    signal?: AbortSignal,
  ): Promise<KeyLease> {
    for (;;) {
      throwIfAborted(signal);
      if (this.#closed) throw new KeyfoldError('CLOSED', 'The key cache is closed.');
      permit();
      const cached = this.#fresh(identity);
      if (cached !== undefined) {
        cached.leases++;
        return this.#lend(identity, cached);
      }
      this.#refusals.check(identity);
      const entry = await this.#join(identity, load, signal);
      try {
        permit();
      } catch (refusal) {
        this.#giveBack(entry);
        throw refusal;
      }
      if (entry.uses < this.#maxUses) return this.#lend(identity, entry);
      // Others who waited have used it up: unwrap anew.
      this.#giveBack(entry);
    }
  }

  /** Forgets a key, e.g. one that its record's MAC refused, or that it was refused. */
  evict(identity: string): void {
    this.#refusals.forget(identity);
    const entry = this.#entries.get(identity);
    if (entry !== undefined) this.#drop(identity, entry);
    const flight = this.#flights.get(identity);
    if (flight === undefined) return;
    flight.stale = true;
    this.#flights.delete(identity);
  }

  /**
   * Asked before a record's unwrap: one that two unwraps' DEKs have refused costs no third for a while.
   * @param record everything that decided the refusal: the identity of the unwrap, and the record's bytes
   * @throws KeyfoldError INTEGRITY_FAILURE when it is remembered as refused
   */
  checkRecord(record: string): void {
    this.#refusedRecords.check(record);
  }

  /**
   * Notes that the DEK on loan does not vouch for the record whose wrap gave it. When a
   * second unwrap says the same, that is remembered for `refusalMaxAgeMs`: it is the record then, and not
   * a KMS that answered wrongly once.
   */
  refuseRecord(record: string, error: KeyfoldError, lease: KeyLease): void {
    this.#refusedRecords.suspect(record, error, lease.key);
  }

  /** Forgets every key and every refusal; keys on loan are zeroed when released. */
  clear(): void {
    this.#refusals.clear();
    this.#refusedRecords.clear();
    for (const identity of [...this.#entries.keys(), ...this.#flights.keys()]) this.evict(identity);
  }

  /** Clears for good. */
  close(): void {
    this.#closed = true;
    this.clear();
  }

  #fresh(identity: string): Entry | undefined {
    const entry = this.#entries.get(identity);
    if (entry === undefined) return undefined;
    const age = this.#clock.now() - entry.loadedAt;
    // A clock that went backwards says nothing about age: unwrap anew.
    const spent = age < 0 || age >= this.#maxAgeMs || entry.uses >= this.#maxUses || entry.bytes >= this.#maxBytes;
    if (!spent) return entry;
    this.#drop(identity, entry);
    return undefined;
  }

  /** Waits for the one unwrap under way, or starts it; the entry comes with a lease reserved for the caller. */
  async #join(identity: string, load: () => Promise<SecretBytes>, signal: AbortSignal | undefined): Promise<Entry> {
    const flight = this.#flights.get(identity) ?? this.#start(identity, load);
    flight.waiters++;
    if (signal === undefined) return flight.entry;
    return new Promise<Entry>((resolve, reject) => {
      let left = false;
      const leave = (): void => {
        left = true;
        reject(new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.'));
      };
      signal.addEventListener('abort', leave, { once: true });
      flight.entry
        .then((entry) => {
          if (left) this.#giveBack(entry);
          else resolve(entry);
        }, reject)
        .finally(() => {
          signal.removeEventListener('abort', leave);
        });
    });
  }

  #start(identity: string, load: () => Promise<SecretBytes>): Flight {
    const entry = Promise.resolve()
      .then(load)
      .then(
        (key) => this.#arrive(identity, key, flight),
        (error: unknown) => {
          if (!flight.stale) this.#refusals.note(identity, error);
          this.#land(identity, flight);
          throw error;
        },
      );
    const flight: Flight = { entry, waiters: 0, stale: false };
    this.#flights.set(identity, flight);
    return flight;
  }

  #arrive(identity: string, key: SecretBytes, flight: Flight): Entry {
    // From here on others find the entry, not the flight.
    this.#land(identity, flight);
    const kept = !flight.stale && this.#maxEntries > 0;
    const entry: Entry = { key, loadedAt: this.#clock.now(), uses: 0, bytes: 0, leases: flight.waiters, evicted: !kept };
    if (kept) {
      this.#entries.set(identity, entry);
      this.#trim();
    }
    return entry;
  }

  /** After an eviction another flight may have taken its place. */
  #land(identity: string, flight: Flight): void {
    if (!flight.stale) this.#flights.delete(identity);
  }

  /** Turns a reserved lease into a loan. */
  #lend(identity: string, entry: Entry): KeyLease {
    if (!entry.evicted) {
      this.#entries.delete(identity);
      this.#entries.set(identity, entry);
    }
    entry.uses++;
    let released = false;
    return {
      key: entry.key,
      addBytes: (count) => {
        entry.bytes += count;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#giveBack(entry);
      },
    };
  }

  #trim(): void {
    for (const [identity, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries) return;
      this.#drop(identity, entry);
    }
  }

  #drop(identity: string, entry: Entry): void {
    this.#entries.delete(identity);
    entry.evicted = true;
    if (entry.leases === 0) entry.key.dispose();
  }

  #giveBack(entry: Entry): void {
    entry.leases--;
    if (entry.evicted && entry.leases === 0) entry.key.dispose();
  }
}

/**
 * One string for everything that decided an unwrap; each part is behind its
 * length, so no two lists of parts give the same string.
 */
export function keyIdentity(parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join('');
}

function limit(name: string, value: number | undefined, fallback: number, least = 0): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || Number.isNaN(value) || value < least) {
    throw new KeyfoldError('CONFIG_INVALID', `KeyCache: ${name} must be a number of ${least} or more.`);
  }
  return value;
}
