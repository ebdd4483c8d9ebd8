import { KeyfoldError, type EncryptionContext } from '@keyfold/core/provider';
import type { Kek, Permissions } from './kek.ts';
import type { TokenCall } from './token.ts';

/** Keys that are wrapped have 1..64 bytes. */
export const MAX_PLAINTEXT_BYTES = 64;

/** Names that a wrap may be bound to besides its encryption context. */
export interface WrapNames {
  readonly provider: string;
  readonly keyId: string;
}

/** One way to wrap a key under a KEK on a token (spec/pkcs11, sections 4 and 5). */
export interface Wrapping {
  /** Its name in key records. */
  readonly algorithm: string;
  readonly contextBinding: 'aad' | 'seed';
  /** What a new version is permitted to do. */
  readonly granted: Permissions;
  canWrap(may: Permissions): boolean;
  canUnwrap(may: Permissions): boolean;
  /** Whether wrapping a permitted key gives these lengths; asked before any call. */
  isWrapped(ciphertext: Uint8Array): boolean;
  wrap(call: TokenCall, kek: Kek, names: WrapNames, context: EncryptionContext, plaintext: Uint8Array): Promise<Uint8Array>;
  /** A fresh copy of the plaintext. @throws KeyfoldError INVALID_CIPHERTEXT; what the binding throws */
  unwrap(call: TokenCall, kek: Kek, names: WrapNames, context: EncryptionContext, ciphertext: Uint8Array): Promise<Uint8Array>;
}

export function invalidCiphertext(): KeyfoldError {
  return new KeyfoldError(
    'INVALID_CIPHERTEXT',
    'The wrapped key does not open: it is damaged, or was wrapped under another encryption context.',
  );
}

/** A token that gives more or fewer bytes than its mechanism has cannot be relied on for anything. */
export function wrongLength(what: string, expected: number, actual: number): KeyfoldError {
  return new KeyfoldError('KMS_PROTOCOL_ERROR', `The token gave ${actual} bytes for ${what} of ${expected}. Nothing was stored; report it to its maker.`);
}
