import { createHmac, type KeyObject } from 'node:crypto';
import { toHex } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { type BlindIndexName, NORMALISATIONS, type Normalisation, blindIndexInfo, normalise } from '../format/blind-index.ts';
import { blindIndexKey } from '../sealing/blind-index-key.ts';
import type { EncodingTypes } from './column-codecs.ts';
import type { VaultKeys } from './vault-keys.ts';

const VALUE_BYTES = 16;

/** A column of index values beside a sealed one, for searches by equality. */
export interface BlindIndexPolicy<Encoding extends keyof EncodingTypes> {
  /** The sealed column's logical names, and the index's own: 1..65,536 UTF-8 bytes each. */
  readonly table: string;
  readonly column: string;
  readonly index: string;
  /** What values are equal: `none` the same bytes, `nfc` the same text, `nfc-lower` the same but for case. */
  readonly normalisation: Normalisation;
  /** `text`: 32 hex digits; `binary`: 16 bytes. */
  readonly encoding: Encoding;
  /** Which one of this index's values are written, from 1. Default 1. */
  readonly version?: number;
  /** Versions that rows may still have. Default none. */
  readonly previousVersions?: readonly number[];
}

const ENCODERS: { readonly [Name in keyof EncodingTypes]: (value: Uint8Array) => EncodingTypes[Name] } = {
  text: toHex,
  binary: (value) => value,
};

/** Computes the index values of one column. */
export class BlindIndex<Stored> {
  readonly #current: BlindIndexName;
  /** Of every version, the current one first. */
  readonly #names: readonly BlindIndexName[];
  readonly #keys: VaultKeys;
  readonly #encode: (value: Uint8Array) => Stored;
  /** By root and version. */
  readonly #indexKeys = new WeakMap<KeyObject, Map<string, KeyObject>>();

  private constructor(
    current: BlindIndexName,
    previous: readonly BlindIndexName[],
    keys: VaultKeys,
    encode: (value: Uint8Array) => Stored,
  ) {
    this.#current = current;
    this.#names = [current, ...previous];
    this.#keys = keys;
    this.#encode = encode;
  }

  /** Use {@link KeyVault.blindIndex}. @throws KeyfoldError INVALID_ARGUMENT */
  static create<Encoding extends keyof EncodingTypes>(
    tenant: string,
    policy: BlindIndexPolicy<Encoding>,
    keys: VaultKeys,
  ): BlindIndex<EncodingTypes[Encoding]> {
    const { table, column, index, normalisation, encoding, version = 1, previousVersions = [] } = policy;
    if (!Object.hasOwn(ENCODERS, encoding) || !(NORMALISATIONS as readonly string[]).includes(normalisation)) {
      throw new KeyfoldError('INVALID_ARGUMENT', `A blind index has the encoding text or binary and the normalisation ${NORMALISATIONS.join(', ')}.`);
    }
    const current = { tenant, table, column, index, normalisation, version };
    const previous = previousVersions.map((number) => ({ ...current, version: number }));
    for (const name of [current, ...previous]) blindIndexInfo(name);
    return new BlindIndex(current, previous, keys, ENCODERS[encoding]);
  }

  /**
   * What to write beside the sealed value.
   * @throws KeyfoldError INVALID_ARGUMENT, KEY_NOT_LOADED before prime(), CLOSED
   */
  of(value: string | Uint8Array): Stored {
    return this.#value(this.#keys.active().dek, this.#current, value);
  }

  /**
   * What rows with this value may have: by the current root and version first,
   * then by former ones. For `WHERE index IN (...)`; compare the opened values.
   * @throws KeyfoldError INVALID_ARGUMENT, KEY_NOT_LOADED, CLOSED
   */
  candidates(value: string | Uint8Array): Stored[] {
    const active = this.#keys.active();
    const roots = [active, ...this.#keys.all().filter(({ id }) => id !== active.id)];
    return roots.flatMap(({ dek }) => this.#names.map((name) => this.#value(dek, name, value)));
  }

  #value(root: KeyObject, name: BlindIndexName, value: string | Uint8Array): Stored {
    const normalised = normalise(value, name.normalisation);
    const digest = createHmac('sha256', this.#indexKey(root, name)).update(normalised).digest();
    if (typeof value === 'string') normalised.fill(0);
    return this.#encode(new Uint8Array(digest.subarray(0, VALUE_BYTES)));
  }

  #indexKey(root: KeyObject, name: BlindIndexName): KeyObject {
    const byVersion = this.#indexKeys.get(root) ?? new Map<string, KeyObject>();
    const version = String(name.version);
    const key = byVersion.get(version) ?? blindIndexKey(root, name);
    this.#indexKeys.set(root, byVersion.set(version, key));
    return key;
  }
}
