import { createCipheriv } from 'node:crypto';
import { FieldBinding, type ColumnName } from '../../src/format/field-binding.ts';
import { systemRandomSource } from '../../src/crypto/random.ts';
import type { FieldKey } from '../../src/sealing/field-key.ts';
import { openField } from '../../src/sealing/open-field.ts';
import { sealField } from '../../src/sealing/seal-field.ts';
import { patterned, secretKey } from './bytes.ts';
import { expand } from './reference.ts';

export const DEK_BYTES = patterned(32, 'a field dek');
export const KEY: FieldKey = { dekId: patterned(16, 'a field dek id'), dek: secretKey(DEK_BYTES) };
export const COLUMN: ColumnName = { tenant: 'acme', table: 'integration', column: 'api_key', bind: 'column' };
export const IN_ROW: ColumnName = { ...COLUMN, bind: 'row' };

export interface SealChange {
  readonly key?: FieldKey;
  readonly name?: ColumnName;
  readonly row?: string;
  readonly padded?: boolean;
}

export function seal(plaintext: Uint8Array, { key = KEY, name = COLUMN, row, padded = false }: SealChange = {}): Uint8Array {
  return sealField(key, new FieldBinding(name), plaintext, { row, padded, random: systemRandomSource });
}

export function open(field: Uint8Array, { key = KEY, name = COLUMN, row }: SealChange = {}): Uint8Array | undefined {
  return openField(key, new FieldBinding(name), field, row);
}

/** Canonical context bytes of entries in the order given, however wrong. */
export function rawContext(entries: readonly (readonly [string, string])[]): Buffer {
  const parts = entries.flatMap(([key, value]) => {
    const [name, text] = [Buffer.from(key), Buffer.from(value)];
    const lengths = [Buffer.alloc(2), Buffer.alloc(4)] as const;
    lengths[0].writeUInt16BE(name.byteLength);
    lengths[1].writeUInt32BE(text.byteLength);
    return [lengths[0], name, lengths[1], text];
  });
  return Buffer.concat([Buffer.from([1, entries.length]), ...parts]);
}

export const CONTEXT_ENTRIES: readonly (readonly [string, string])[] = [
  ['column', 'api_key'],
  ['purpose', 'field'],
  ['table', 'integration'],
  ['tenant', 'acme'],
];

export interface RawField {
  readonly version?: number;
  readonly suite?: number;
  readonly flags?: number;
  readonly dekId?: Uint8Array;
  readonly key?: Uint8Array;
  readonly salt?: Uint8Array;
  readonly context?: Uint8Array;
  readonly label?: string;
  /** What is encrypted, padding included. */
  readonly content?: Uint8Array;
}

/** A sealed field as its specification has it, sharing nothing with the sources, and as wrong as the test wants. */
export function rawField(raw: RawField = {}): Uint8Array {
  const content = raw.content ?? patterned(20, 'content');
  const salt = raw.salt ?? patterned(24, 'field salt');
  const header = Buffer.concat([
    Buffer.from([0x8f, 0x4b, 0x46, 0x46, raw.version ?? 1, raw.suite ?? 1, raw.flags ?? 0]),
    raw.dekId ?? KEY.dekId,
  ]);
  const info = Buffer.concat([
    Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0', 'latin1'),
    salt,
    Buffer.from(raw.label ?? 'keyfold/field/v1\0', 'latin1'),
    header,
    raw.context ?? rawContext(CONTEXT_ENTRIES),
  ]);
  const okm = expand(raw.key ?? DEK_BYTES, info, 76);
  const cipher = createCipheriv('aes-256-gcm', okm.subarray(0, 32), okm.subarray(32, 44), { authTagLength: 16 });
  const ciphertext = Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  return new Uint8Array(Buffer.concat([header, salt, okm.subarray(44), ciphertext]));
}
