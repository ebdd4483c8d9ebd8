import { RandomPool } from '../crypto/random-pool.ts';
import { KeyfoldError } from '../errors.ts';
import type { WrappedKey } from '../format/key-record.ts';
import type { VaultKeyIdentity } from '../sealing/record-subject.ts';
import { BlindIndex, type BlindIndexPolicy } from './blind-index.ts';
import type { ContentTypes, EncodingTypes } from './column-codecs.ts';
import { type ColumnPolicy, SealedColumn } from './sealed-column.ts';
import { VaultKeys } from './vault-keys.ts';
import { type KeyVaultOptions, type VaultContext, vaultContext } from './vault-options.ts';
import { inBatches } from './vault-records.ts';

/** What a vault is used for; each use has keys of its own. */
export type VaultUse = 'field' | 'index-root';

/** A vault's record as the store has it; only its place and identity are certain. */
export interface VaultRecordInfo {
  /** Its key in the store. */
  readonly key: string;
  /** With {@link rewrapRecord}: what it must be. */
  readonly identity: VaultKeyIdentity;
  readonly state: 'active' | 'decrypt-only';
  /** Unix milliseconds. */
  readonly created: number;
  readonly generation: number;
  readonly wraps: readonly Omit<WrappedKey, 'ciphertext'>[];
}

/**
 * The data keys of one tenant and scope, for sealing database values. Keys are
 * made, unwrapped and replaced asynchronously by {@link prime} and {@link load};
 * columns and indexes then work synchronously, for as long as the limits of
 * {@link KeyVaultOptions} let them.
 */
export class KeyVault {
  readonly #context: VaultContext;
  readonly #fields: VaultKeys;
  #roots: VaultKeys | undefined;
  readonly #random = new RandomPool();
  #closed = false;

  /** @throws KeyfoldError CONFIG_INVALID, and INVALID_ARGUMENT for a tenant or scope outside its limits */
  constructor(options: KeyVaultOptions) {
    this.#context = vaultContext(options);
    this.#fields = new VaultKeys(this.#context, 'field');
  }

  /**
   * Sees to it that values can be sealed, and indexed where blindIndex() was
   * called: takes the newest active key, or makes one by one call to the KMS.
   * Call it at the start and before every batch of work: while nothing is due
   * it does nothing, and an outage that the loaded keys outlast is no error.
   * @throws KeyfoldError INTEGRITY_FAILURE, KEY_NOT_ALLOWED, AUDIT_FAILED, CLOSED, and what KMS and store give
   */
  async prime(): Promise<void> {
    await Promise.all([this.#fields.prime(), this.#roots?.prime()]);
  }

  /**
   * Loads the field keys that values name (see {@link SealedColumn.dekIdOf}), or all of them.
   * @throws KeyfoldError INTEGRITY_FAILURE for an id without a key, and as {@link prime}
   */
  async load(dekIds?: Iterable<string>): Promise<void> {
    if (dekIds === undefined) await this.#fields.loadAll();
    else await inBatches([...new Set(dekIds)], (id) => this.#fields.load(id));
  }

  /**
   * Replaces the active key now, whatever its age. What it sealed still opens.
   * A new index root changes every index value: rows are found under the former
   * roots too until they are written again.
   * @throws KeyfoldError as {@link prime}
   */
  async roll(use: VaultUse): Promise<void> {
    await (use === 'field' ? this.#fields : this.#indexRoots()).roll();
  }

  /** The records of one use, newest first, for rewrap and reports. Nothing in them is verified. */
  async records(use: VaultUse): Promise<VaultRecordInfo[]> {
    const found = await (use === 'field' ? this.#fields : this.#indexRoots()).list();
    return found.map(({ key, identity, parsed: { record } }) => ({
      key,
      identity,
      state: record.state,
      created: record.created,
      generation: record.generation,
      wraps: record.wraps.map(({ provider, keyId, keyVersion, algorithm }) => ({ provider, keyId, keyVersion, algorithm })),
    }));
  }

  /**
   * A column whose values this vault seals.
   * @throws KeyfoldError INVALID_ARGUMENT for a policy outside its limits, CLOSED
   */
  column<Encoding extends keyof EncodingTypes, Content extends keyof ContentTypes>(
    policy: ColumnPolicy<Content, Encoding>,
  ): SealedColumn<ContentTypes[Content], EncodingTypes[Encoding]> {
    return SealedColumn.create(policy, { tenant: this.#context.tenant, keys: this.#fields, random: this.#random, meter: this.#context.meter });
  }

  /**
   * A blind index whose root this vault keeps. Await prime() before its first use.
   * @throws KeyfoldError INVALID_ARGUMENT for a policy outside its limits, CLOSED
   */
  blindIndex<Encoding extends keyof EncodingTypes>(policy: BlindIndexPolicy<Encoding>): BlindIndex<EncodingTypes[Encoding]> {
    return BlindIndex.create(this.#context.tenant, policy, this.#indexRoots());
  }

  /** Forgets every key for good. */
  close(): void {
    this.#closed = true;
    this.#fields.close();
    this.#roots?.close();
    this.#context.unwraps.close();
  }

  #indexRoots(): VaultKeys {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'The key vault is closed.');
    return (this.#roots ??= new VaultKeys(this.#context, 'index-root'));
  }
}
