import type { RandomSource } from '../crypto/random.ts';
import { sealSingleChunk } from '../crypto/single-chunk.ts';
import { KeyfoldError } from '../errors.ts';
import { FIELD_HEADER_BYTES, FIELD_LIMITS, fieldLength, padField, writeFieldHeader } from '../format/field.ts';
import type { FieldBinding } from '../format/field-binding.ts';
import type { FieldKey } from './field-key.ts';

const SALT_BYTES = 24;

export interface SealFieldOptions {
  /** Exactly when the column binds the row. */
  readonly row?: string | undefined;
  /** Hides the length up to the next multiple of 32. */
  readonly padded: boolean;
  /** Where the salt comes from; never a caller's. */
  readonly random: RandomSource;
}

/**
 * A sealed field (spec/sealed-field) over at most 16,383 bytes, or 16,351 padded.
 * @throws KeyfoldError INVALID_ARGUMENT for a row too many or missing, LIMIT_EXCEEDED
 */
export function sealField(key: FieldKey, binding: FieldBinding, plaintext: Uint8Array, options: SealFieldOptions): Uint8Array {
  const limit = options.padded ? FIELD_LIMITS.paddedPlaintextBytes : FIELD_LIMITS.plaintextBytes;
  if (plaintext.byteLength > limit) {
    throw new KeyfoldError('LIMIT_EXCEEDED', `A field holds at most ${limit} bytes${options.padded ? ' when padded' : ''}, not ${plaintext.byteLength}.`);
  }
  const content = options.padded ? padField(plaintext) : plaintext;
  const field = new Uint8Array(fieldLength(content.byteLength));
  writeFieldHeader(field, { padded: options.padded, dekId: key.dekId });
  const context = binding.of(field.subarray(0, FIELD_HEADER_BYTES), options.row);
  field.set(options.random.bytes(SALT_BYTES), FIELD_HEADER_BYTES);
  sealSingleChunk(key.dek, context, content, field.subarray(FIELD_HEADER_BYTES));
  if (options.padded) content.fill(0);
  return field;
}
