import { concatBytes, encodeUtf8, toHex } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { ByteReader, MalformedError } from './reader.ts';
import { lengthPrefixed, u16, u32, u8 } from './writer.ts';

/**
 * The non-secret names that a ciphertext is bound to, e.g. its purpose, tenant
 * and checkpoint. Keys match `[a-z0-9][a-z0-9._-]{0,63}`, 1..32 of them;
 * values are well-formed Unicode of at most 65,536 UTF-8 bytes.
 */
export type EncryptionContext = Readonly<Record<string, string>>;

/** What a wrapped DEK is for: the `use` of its wrap context. */
export type KeyUse = 'checkpoint' | 'field' | 'index-root' | 'audit';

export const CONTEXT_LIMITS = {
  keys: 32,
  valueBytes: 65_536,
  tenantBytes: 256,
  idBytes: 1_024,
  encodedWrapBytes: 4_096,
} as const;

const VERSION = 0x01;
const KEY_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * The canonical bytes of a context (spec/encryption-context): `01 || u8 n ||
 * n * (lp16 key || lp32 value)`, keys ascending by bytes. Equal contexts give
 * equal bytes, different contexts different ones.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function encodeContext(context: EncryptionContext): Uint8Array {
  if (typeof context !== 'object' || (context as unknown) === null || Array.isArray(context)) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'An encryption context is an object of strings.');
  }
  const keys = Object.keys(context);
  if (keys.length < 1 || keys.length > CONTEXT_LIMITS.keys) {
    throw new KeyfoldError('INVALID_ARGUMENT', `An encryption context has 1 to ${CONTEXT_LIMITS.keys} keys, not ${keys.length}.`);
  }
  const parts: Uint8Array[] = [u8(VERSION), u8(keys.length)];
  // By code unit, which is by byte: what is not ASCII is refused.
  for (const key of keys.sort()) {
    if (!KEY_PATTERN.test(key)) {
      throw new KeyfoldError('INVALID_ARGUMENT', 'A key of an encryption context must match [a-z0-9][a-z0-9._-]{0,63}.');
    }
    const value = boundedText(context[key], `The context value "${key}"`, 0, CONTEXT_LIMITS.valueBytes);
    const name = encodeUtf8(key, 'A context key');
    parts.push(u16(name.byteLength), name, u32(value.byteLength), value);
  }
  return concatBytes(...parts);
}

/**
 * Reads canonical bytes back; wrong order, duplicates and trailing bytes are refused.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function decodeContext(bytes: Uint8Array): EncryptionContext {
  try {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== VERSION) throw new MalformedError('unknown version');
    const count = reader.u8();
    if (count < 1 || count > CONTEXT_LIMITS.keys) throw new MalformedError('number of keys');
    const entries: [string, string][] = [];
    for (let i = 0; i < count; i++) {
      const key = reader.text(16, 1, 64, KEY_PATTERN);
      const previous = entries.at(-1)?.[0];
      if (previous !== undefined && previous >= key) throw new MalformedError('order of keys');
      entries.push([key, reader.text(32, 0, CONTEXT_LIMITS.valueBytes)]);
    }
    reader.end();
    return Object.freeze(Object.fromEntries(entries));
  } catch (error) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'These bytes are no canonical encryption context.', { cause: error });
  }
}

/**
 * The context of checkpoint data and metadata.
 * @throws KeyfoldError INVALID_ARGUMENT for a tenant outside 1..256 or an id outside 1..1,024 UTF-8 bytes
 */
export function checkpointContext(tenant: string, checkpoint: string): EncryptionContext {
  boundedText(tenant, 'The tenant', 1, CONTEXT_LIMITS.tenantBytes);
  boundedText(checkpoint, 'The checkpoint id', 1, CONTEXT_LIMITS.idBytes);
  return Object.freeze({ purpose: 'checkpoint', tenant, checkpoint });
}

/** The logical names of a database value; never read back from the database. */
export interface FieldName {
  /** 1..256 UTF-8 bytes. */
  readonly tenant: string;
  /** 1..65,536 UTF-8 bytes, as are the following. */
  readonly table: string;
  readonly column: string;
  /** Exactly when the column binds the row. */
  readonly row?: string | undefined;
}

/**
 * The context of a sealed field.
 * @throws KeyfoldError INVALID_ARGUMENT for a name outside its limits
 */
export function fieldContext({ tenant, table, column, row }: FieldName): EncryptionContext {
  boundedText(tenant, 'The tenant', 1, CONTEXT_LIMITS.tenantBytes);
  boundedText(table, 'The table', 1, CONTEXT_LIMITS.valueBytes);
  boundedText(column, 'The column', 1, CONTEXT_LIMITS.valueBytes);
  if (row === undefined) return Object.freeze({ purpose: 'field', tenant, table, column });
  boundedText(row, 'The row', 1, CONTEXT_LIMITS.valueBytes);
  return Object.freeze({ purpose: 'field', tenant, table, column, row });
}

/**
 * The context that a KMS binds to a wrapped DEK.
 * @param scope the checkpoint id, or the vault's scope
 * @param dekId the DEK's 16-byte id
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function wrapContext(use: KeyUse, tenant: string, scope: string, dekId: Uint8Array): EncryptionContext {
  boundedText(tenant, 'The tenant', 1, CONTEXT_LIMITS.tenantBytes);
  boundedText(scope, 'The scope', 1, CONTEXT_LIMITS.idBytes);
  if (dekId.byteLength !== 16) throw new KeyfoldError('INVALID_ARGUMENT', 'A DEK id has 16 bytes.');
  return Object.freeze({ purpose: 'wrap', use, tenant, scope, dek: toHex(dekId) });
}

/**
 * What a provider binds as additional authenticated data: `"keyfold/kms/v1" 00 || encoded context`.
 * @throws KeyfoldError INVALID_ARGUMENT, also when the encoded context exceeds 4,096 bytes
 */
export function kmsAad(context: EncryptionContext): Uint8Array {
  return concatBytes(label('keyfold/kms/v1'), encodeWrapContext(context));
}

/**
 * {@link encodeContext} with the cap of wrap contexts: AWS KMS and Cloud HSM stop at 8 KiB.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function encodeWrapContext(context: EncryptionContext): Uint8Array {
  const encoded = encodeContext(context);
  if (encoded.byteLength > CONTEXT_LIMITS.encodedWrapBytes) {
    throw new KeyfoldError('INVALID_ARGUMENT', `An encoded wrap context has at most ${CONTEXT_LIMITS.encodedWrapBytes} bytes.`);
  }
  return encoded;
}

/** An ASCII label and its terminating zero byte: no label is a prefix of another. */
export function label(text: string): Uint8Array {
  return concatBytes(encodeUtf8(text, 'A label'), u8(0));
}

/**
 * A row's value behind its length, as it stands in the encoded context: the one
 * part of a column's contexts that changes from value to value.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function encodeRowValue(row: unknown): Uint8Array {
  return lengthPrefixed(32, boundedText(row, 'The row', 1, CONTEXT_LIMITS.valueBytes));
}

function boundedText(value: unknown, what: string, min: number, max: number): Uint8Array {
  if (typeof value !== 'string') throw new KeyfoldError('INVALID_ARGUMENT', `${what} must be a string.`);
  // A UTF-16 unit is at least one byte: refuse huge strings before encoding them.
  const bytes = value.length <= max ? encodeUtf8(value, what) : undefined;
  if (bytes === undefined || bytes.byteLength < min || bytes.byteLength > max) {
    throw new KeyfoldError('INVALID_ARGUMENT', `${what} must have ${min} to ${max} bytes as UTF-8.`);
  }
  return bytes;
}
