import {
  KeyfoldError,
  concatBytes,
  encodeUtf8,
  encodeWrapContext,
  label,
  lengthPrefixed,
  openMessage,
  sealMessage,
  type EncryptionContext,
  type SecretBytes,
} from '@keyfold/core/provider';

/** The name of the construction in {@link WrappedKey.algorithm}. */
export const WRAP_ALGORITHM = 'keyfold-wrap-v1';

/** Keys that are wrapped have 1..64 bytes. */
export const MAX_PLAINTEXT_BYTES = 64;

/** What a core message of one chunk adds: salt 24, commitment 32, tag 16. */
const OVERHEAD_BYTES = 72;

/** Which KEK wraps: bound into the wrap together with its encryption context. */
export interface WrappingKey {
  readonly keyId: string;
  readonly version: string;
  readonly key: SecretBytes;
}

/** A core message under the KEK: 72 bytes more than the plaintext. */
export function wrap(kek: WrappingKey, plaintext: Uint8Array, context: EncryptionContext): Uint8Array {
  return sealMessage(kek.key.toKeyObject(), messageContext(kek, context), plaintext);
}

/** @throws KeyfoldError INVALID_CIPHERTEXT, the same for damage and a wrong context */
export function unwrap(kek: WrappingKey, ciphertext: Uint8Array, context: EncryptionContext): Uint8Array {
  const plaintext = openMessage(kek.key.toKeyObject(), messageContext(kek, context), ciphertext);
  if (plaintext === undefined) throw invalidCiphertext();
  return plaintext;
}

/** Whether wrapping a permitted key gives this many bytes; asked before any work. */
export function isWrapLength(byteLength: number): boolean {
  return byteLength > OVERHEAD_BYTES && byteLength <= OVERHEAD_BYTES + MAX_PLAINTEXT_BYTES;
}

export function invalidCiphertext(): KeyfoldError {
  return new KeyfoldError(
    'INVALID_CIPHERTEXT',
    'The wrapped key does not open: it is damaged, or was wrapped under another encryption context.',
  );
}

function messageContext({ keyId, version }: WrappingKey, context: EncryptionContext): Uint8Array {
  return concatBytes(
    label('keyfold/wrap/v1'),
    lengthPrefixed(16, encodeUtf8(keyId, 'The key id')),
    lengthPrefixed(16, encodeUtf8(version, 'The key version')),
    encodeWrapContext(context),
  );
}
