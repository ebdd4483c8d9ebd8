import type { KeyObject } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { FieldKey } from '../sealing/field-key.ts';

/** A data key in memory. */
export interface LoadedKey extends FieldKey {
  /** The DEK id in hex. */
  readonly id: string;
  readonly dek: KeyObject;
  /** From its record, verified: Unix milliseconds. */
  readonly created: number;
  readonly loadedAt: number;
}

interface Entry {
  readonly key: LoadedKey;
  /** When it was last put or asked for, in turns rather than time. */
  turn: number;
  /** Whether it was asked for since it was put. */
  used: boolean;
}

/**
 * Data keys that are ready for synchronous use, each for a limited time from
 * its unwrap. Only KeyObjects are held: their bytes lie in OpenSSL's memory,
 * which is cleansed when the last reference goes.
 */
export class LoadedKeys {
  readonly #entries = new Map<string, Entry>();
  readonly #maxKeys: number;
  readonly #maxAgeMs: number;
  readonly #clock: Clock;
  #turn = 0;

  constructor(limits: { readonly maxKeys: number; readonly maxAgeMs: number; readonly clock: Clock }) {
    this.#maxKeys = limits.maxKeys;
    this.#maxAgeMs = limits.maxAgeMs;
    this.#clock = limits.clock;
  }

  /** The key, unless it is absent or too long in memory. */
  get(id: string): LoadedKey | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || !this.isFresh(entry.key)) {
      this.#entries.delete(id);
      return undefined;
    }
    entry.turn = ++this.#turn;
    entry.used = true;
    return entry.key;
  }

  isFresh(key: LoadedKey): boolean {
    const age = this.#clock.now() - key.loadedAt;
    // A clock that went backwards says nothing about age: unwrap anew.
    return age >= 0 && age < this.#maxAgeMs;
  }

  /** Whether half of its time in memory is over. */
  isAgeing(key: LoadedKey): boolean {
    return this.#clock.now() - key.loadedAt >= this.#maxAgeMs / 2;
  }

  /** Ids of the keys that were used and should be unwrapped anew before they expire. */
  ageing(): string[] {
    return [...this.#entries.values()].filter(({ key, used }) => used && this.isAgeing(key)).map(({ key }) => key.id);
  }

  put(key: LoadedKey): void {
    this.#entries.set(key.id, { key, turn: ++this.#turn, used: false });
    if (this.#entries.size > this.#maxKeys) this.#dropLeastUsed();
  }

  /** Drops what is too long in memory, and every key whose id is not among these. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, { key }] of this.#entries) if (!ids.has(id) || !this.isFresh(key)) this.#entries.delete(id);
  }

  clear(): void {
    this.#entries.clear();
  }

  #dropLeastUsed(): void {
    const [least] = [...this.#entries.values()].sort((a, b) => a.turn - b.turn);
    if (least !== undefined) this.#entries.delete(least.key.id);
  }
}
