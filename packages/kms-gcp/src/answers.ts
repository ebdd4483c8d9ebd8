import { KeyfoldError } from '@keyfold/core/provider';
import { crc32c } from './crc32c.ts';
import { versionNumber } from './key-name.ts';
import type { GcpChecksum, GcpDecrypted, GcpEncrypted } from './sdk.ts';

/**
 * The wrap in an answer to Encrypt. Google's libraries compare nothing: a field
 * that was misspelt, or lost on the way, would leave a wrap of nothing.
 * @throws KeyfoldError KMS_PROTOCOL_ERROR
 */
export function wrapOfAnswer(keyId: string, answer: GcpEncrypted, maxBytes: number): { readonly keyVersion: string; readonly ciphertext: Uint8Array } {
  if (answer.verifiedPlaintextCrc32c !== true || answer.verifiedAdditionalAuthenticatedDataCrc32c !== true) {
    throw protocolError('did not confirm the checksums of what it wrapped');
  }
  const keyVersion = versionNumber(keyId, answer.name);
  if (keyVersion === undefined) throw protocolError('wrapped with another key than it was asked for');
  const ciphertext = copied(answer.ciphertext, maxBytes);
  if (ciphertext === undefined) throw protocolError('gave no wrapped key, or one that is too long');
  if (!matches(answer.ciphertextCrc32c, ciphertext)) throw protocolError('gave a wrapped key that has not its checksum');
  return { keyVersion, ciphertext };
}

/** The key in an answer to Decrypt, as a copy of which there is no other. @throws KeyfoldError KMS_PROTOCOL_ERROR */
export function openAnswer(answer: GcpDecrypted, maxBytes: number): Uint8Array {
  const plaintext = copied(answer.plaintext, maxBytes);
  if (answer.plaintext instanceof Uint8Array) answer.plaintext.fill(0);
  if (plaintext === undefined) throw protocolError('gave no key, or one that is too long');
  if (matches(answer.plaintextCrc32c, plaintext)) return plaintext;
  plaintext.fill(0);
  throw protocolError('gave a key that has not its checksum');
}

/** The bytes in memory of their own; undefined for none and for more than there can be. */
function copied(bytes: Uint8Array | string | null | undefined, max: number): Uint8Array | undefined {
  return bytes instanceof Uint8Array && bytes.byteLength >= 1 && bytes.byteLength <= max ? new Uint8Array(bytes) : undefined;
}

/** An absent checksum is a wrong one. Zero is a checksum, and the wire leaves it out of the Int64Value. */
function matches(checksum: GcpChecksum | null | undefined, bytes: Uint8Array): boolean {
  return checksum !== null && checksum !== undefined && (checksum.value ?? 0).toString() === String(crc32c(bytes));
}

function protocolError(what: string): KeyfoldError {
  return new KeyfoldError('KMS_PROTOCOL_ERROR', `Google Cloud KMS ${what}. The answer was thrown away; try again, and look for a proxy if this lasts.`);
}
