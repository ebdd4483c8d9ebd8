import { toHex } from '../bytes.ts';
import type { RandomSource } from '../crypto/random.ts';
import { KeyfoldError, integrityFailure } from '../errors.ts';
import { FieldBinding } from '../format/field-binding.ts';
import type { Meter } from '../ports/metrics-sink.ts';
import { inspectField, openField } from '../sealing/open-field.ts';
import { sealField } from '../sealing/seal-field.ts';
import { CONTENTS, type ContentCodec, type ContentTypes, ENCODINGS, type EncodingCodec, type EncodingTypes } from './column-codecs.ts';
import type { LoadedKey } from './loaded-keys.ts';
import type { VaultKeys } from './vault-keys.ts';

/** How the values of one database column are sealed. */
export interface ColumnPolicy<Content extends keyof ContentTypes, Encoding extends keyof EncodingTypes> {
  /** Logical names, 1..65,536 UTF-8 bytes each: a table or column that is renamed keeps them. */
  readonly table: string;
  readonly column: string;
  /**
   * `row`: a value opens in its own row only, which credentials should use;
   * every call then names the row. `column`: in every row of the column.
   */
  readonly bind: 'column' | 'row';
  /** How the database keeps it: `text` as `kf1:` and base64url, `binary` as bytes. */
  readonly encoding: Encoding;
  /** What the application has: `text` for strings, `bytes` for Uint8Arrays. */
  readonly content: Content;
  /**
   * `strict` (the default): what does not open is an error. `migrating`: values
   * that do not look sealed are read as they are, and reported; until it is
   * strict, whoever can write the database can plant plaintext.
   */
  readonly mode?: 'strict' | 'migrating';
  /** Hides lengths up to the next multiple of 32: for passwords. Default false. */
  readonly padding?: boolean;
  /** Called for every value that is read unsealed. */
  readonly onLegacyRead?: () => void;
}

/** Which row a value belongs to: exactly when the column binds it. */
export interface RowOptions {
  /** 1..65,536 UTF-8 bytes that identify the row and never change. */
  readonly row?: string | undefined;
}

/** What opening a column's value gives. */
export interface OpenedValue<Value> {
  readonly value: Value;
  /** Whether it was found unsealed, which nobody vouches for. */
  readonly legacy: boolean;
}

/** What a column has of the vault that it belongs to. */
export interface ColumnVault {
  readonly tenant: string;
  readonly keys: VaultKeys;
  readonly random: RandomSource;
  readonly meter: Meter;
}

interface ColumnParts<Value, Stored> extends ColumnVault {
  /** For errors: the table and column. */
  readonly title: string;
  readonly binding: FieldBinding;
  readonly content: ContentCodec<Value>;
  readonly encoding: EncodingCodec<Stored>;
  readonly padded: boolean;
  readonly migrating: boolean;
  readonly onLegacyRead: (() => void) | undefined;
}

/** Seals and opens the values of one database column. Made by {@link KeyVault.column}. */
export class SealedColumn<Value, Stored> {
  readonly #parts: ColumnParts<Value, Stored>;

  private constructor(parts: ColumnParts<Value, Stored>) {
    this.#parts = parts;
  }

  /** @throws KeyfoldError INVALID_ARGUMENT for a policy outside its limits */
  static create<Content extends keyof ContentTypes, Encoding extends keyof EncodingTypes>(
    policy: ColumnPolicy<Content, Encoding>,
    vault: ColumnVault,
  ): SealedColumn<ContentTypes[Content], EncodingTypes[Encoding]> {
    const { table, column, bind, mode = 'strict', padding = false, onLegacyRead } = policy;
    requireChoices(policy);
    return new SealedColumn<ContentTypes[Content], EncodingTypes[Encoding]>({
      ...vault,
      title: `${table}.${column}`,
      binding: new FieldBinding({ tenant: vault.tenant, table, column, bind }),
      content: CONTENTS[policy.content],
      encoding: ENCODINGS[policy.encoding],
      padded: padding,
      migrating: mode === 'migrating',
      onLegacyRead,
    });
  }

  /**
   * What the database is to keep, different with every call.
   * @throws KeyfoldError INVALID_ARGUMENT (type, lone surrogate, row), LIMIT_EXCEEDED above 16,383 bytes
   *   (16,351 padded), KEY_NOT_LOADED before prime() and past the key's limits, CLOSED
   */
  seal(value: Value, { row }: RowOptions = {}): Stored {
    const { keys, binding, content, encoding, padded, random } = this.#parts;
    const plaintext = content.encode(value);
    const field = sealField(keys.forSeal(), binding, plaintext, { row, padded, random });
    if (content.copies) plaintext.fill(0);
    return encoding.encode(field);
  }

  /** {@link seal} after {@link KeyVault.prime}; adds what that throws. */
  async sealAsync(value: Value, options?: RowOptions): Promise<Stored> {
    await this.#parts.keys.prime();
    return this.seal(value, options);
  }

  /**
   * The value of what the database kept.
   * @throws KeyfoldError INTEGRITY_FAILURE for everything that does not open, INVALID_ARGUMENT (type, row),
   *   KEY_NOT_LOADED when the key that it names is not in memory, CLOSED
   */
  open(stored: Stored, { row }: RowOptions = {}): OpenedValue<Value> {
    const sealed = this.#inspect(stored);
    return sealed === undefined ? this.#legacy(stored, row) : this.#open(this.#parts.keys.loaded(sealed.id), sealed.field, row);
  }

  /** {@link open} that loads the key first if it must: then one read of the records and one call to the KMS. */
  async openAsync(stored: Stored, { row }: RowOptions = {}): Promise<OpenedValue<Value>> {
    const sealed = this.#inspect(stored);
    return sealed === undefined ? this.#legacy(stored, row) : this.#open(await this.#parts.keys.load(sealed.id), sealed.field, row);
  }

  /** Whether a value begins as sealed ones do. What a value is decides the policy, not this. */
  looksSealed(stored: Stored): boolean {
    this.#parts.encoding.require(stored);
    return this.#parts.encoding.looksSealed(stored);
  }

  /** The id of the key that a sealed value names, for {@link KeyVault.load}; undefined when it is no sealed value. */
  dekIdOf(stored: Stored): string | undefined {
    this.#parts.encoding.require(stored);
    const field = this.#parts.encoding.decode(stored);
    const header = field && inspectField(field);
    return header && toHex(header.dekId);
  }

  /** The sealed field and its key's id, or undefined for what may be read as it is. */
  #inspect(stored: Stored): { readonly field: Uint8Array; readonly id: string } | undefined {
    const { encoding, migrating } = this.#parts;
    encoding.require(stored);
    if (migrating && !encoding.looksSealed(stored)) return undefined;
    const field = encoding.decode(stored);
    const header = field && inspectField(field);
    if (field === undefined || header === undefined) throw this.#damaged();
    return { field, id: toHex(header.dekId) };
  }

  #open(key: LoadedKey, field: Uint8Array, row: string | undefined): OpenedValue<Value> {
    const plaintext = openField(key, this.#parts.binding, field, row);
    const value = plaintext && this.#parts.content.decode(plaintext);
    if (value === undefined) throw this.#damaged();
    return { value, legacy: false };
  }

  #legacy(stored: Stored, row: string | undefined): OpenedValue<Value> {
    const { binding, content, encoding, meter, onLegacyRead } = this.#parts;
    binding.requireRow(row);
    const bytes = encoding.legacy(stored);
    const value = bytes && content.decode(bytes);
    if (value === undefined) throw this.#damaged();
    meter.increment('legacyReads', {});
    onLegacyRead?.();
    return { value, legacy: true };
  }

  #damaged(): KeyfoldError {
    return integrityFailure(`A value of ${this.#parts.title}`);
  }
}

/** For policies that no compiler has seen. */
function requireChoices({ bind, encoding, content, mode = 'strict', padding = false }: ColumnPolicy<keyof ContentTypes, keyof EncodingTypes>): void {
  const known =
    ['column', 'row'].includes(bind) &&
    Object.hasOwn(ENCODINGS, encoding) &&
    Object.hasOwn(CONTENTS, content) &&
    ['strict', 'migrating'].includes(mode) &&
    typeof padding === 'boolean';
  if (known) return;
  throw new KeyfoldError(
    'INVALID_ARGUMENT',
    'A column policy has bind: column or row, encoding: text or binary, content: text or bytes, mode: strict or migrating, and padding: true or false.',
  );
}
