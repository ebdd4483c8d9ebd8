import type { KeyObject } from 'node:crypto';
import { concatBytes, encodeUtf8 } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { hkdfExpandSha512 } from './hkdf.ts';

export const SALT_BYTES = 24;
export const COMMITMENT_BYTES = 32;
export const KEY_BYTES = 32;

/**
 * HKDF-Expand-SHA-512(prk, label 00 || salt || context, length): what every
 * suite derives the keys of one message with. The caller zeroes the result.
 * @throws KeyfoldError INVALID_ARGUMENT for a key of another size than 32 bytes
 */
export function deriveMessageKeys(label: string, prk: KeyObject, salt: Uint8Array, context: Uint8Array, length: number): Uint8Array {
  // HMAC would take a key of any size, and pads short ones: two keys would be one.
  if (prk.symmetricKeySize !== KEY_BYTES) {
    throw new KeyfoldError('INVALID_ARGUMENT', `A key has exactly ${KEY_BYTES} bytes.`);
  }
  // Nothing but its fixed size separates the salt from the context.
  if (salt.byteLength !== SALT_BYTES) {
    throw new KeyfoldError('INVALID_ARGUMENT', `A salt has exactly ${SALT_BYTES} bytes.`);
  }
  return hkdfExpandSha512(prk, concatBytes(encodeUtf8(label, 'A label'), Uint8Array.of(0), salt, context), length);
}
