import { constantTimeEqual } from '../bytes.ts';
import { openSingleChunk } from '../crypto/single-chunk.ts';
import { FIELD_HEADER_BYTES, type FieldHeader, parseFieldHeader, unpadField } from '../format/field.ts';
import type { FieldBinding } from '../format/field-binding.ts';
import { MalformedError } from '../format/reader.ts';
import type { FieldKey } from './field-key.ts';

/** The header of what may be a field, or undefined when it is none. Nobody vouches for it. */
export function inspectField(field: Uint8Array): FieldHeader | undefined {
  try {
    return parseFieldHeader(field);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * The plaintext of a sealed field, or undefined when it is no field or does not
 * open under this key, column and row; callers give the one generic error.
 * @param row exactly when the column binds the row
 * @throws KeyfoldError INVALID_ARGUMENT for a row too many or missing
 */
export function openField(key: FieldKey, binding: FieldBinding, field: Uint8Array, row: string | undefined): Uint8Array | undefined {
  const header = inspectField(field);
  const context = binding.of(field.subarray(0, FIELD_HEADER_BYTES), row);
  if (header === undefined || !constantTimeEqual(header.dekId, key.dekId)) return undefined;
  const content = openSingleChunk(key.dek, context, field.subarray(FIELD_HEADER_BYTES));
  return header.padded && content !== undefined ? unpadded(content) : content;
}

function unpadded(content: Uint8Array): Uint8Array | undefined {
  const plaintext = unpadField(content);
  if (plaintext === undefined) content.fill(0);
  return plaintext;
}
