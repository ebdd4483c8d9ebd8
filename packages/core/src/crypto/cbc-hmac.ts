import { createCipheriv, createDecipheriv, createHmac, type KeyObject } from 'node:crypto';
import { concatBytes, constantTimeEqual, u64 } from '../bytes.ts';

export const IV_BYTES = 16;
const BLOCK_BYTES = 16;

/** The sizes in which AES-CBC with HMAC (RFC 7518 section 5.2) comes. */
export interface CbcHmacParameters {
  readonly cipher: 'aes-128-cbc' | 'aes-256-cbc';
  readonly hash: 'sha256' | 'sha512';
  /** Bytes that are kept of the HMAC. */
  readonly tagBytes: number;
}

/** Two keys, independent of each other. */
export interface CbcHmacKey extends CbcHmacParameters {
  readonly encryption: KeyObject;
  readonly authentication: KeyObject;
}

/** Encrypts with PKCS#7 padding, then authenticates: `IV || ciphertext || tag`. */
export function sealCbcHmac(key: CbcHmacKey, iv: Uint8Array, associated: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv(key.cipher, key.encryption, iv);
  const body = cipher.update(plaintext);
  const padded = cipher.final();
  const split = IV_BYTES + body.byteLength + padded.byteLength;
  const sealed = new Uint8Array(split + key.tagBytes);
  sealed.set(iv);
  sealed.set(body, IV_BYTES);
  sealed.set(padded, IV_BYTES + body.byteLength);
  sealed.set(tagOf(key, associated, sealed.subarray(0, split)), split);
  return sealed;
}

/** The plaintext, or undefined: wrong lengths, tag and padding are not told apart. Only what authenticates is decrypted. */
export function openCbcHmac(key: CbcHmacKey, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const split = sealed.byteLength - key.tagBytes;
  const encrypted = split - IV_BYTES;
  if (encrypted < BLOCK_BYTES || encrypted % BLOCK_BYTES !== 0) return undefined;
  if (!constantTimeEqual(tagOf(key, associated, sealed.subarray(0, split)), sealed.subarray(split))) return undefined;
  const decipher = createDecipheriv(key.cipher, key.encryption, sealed.subarray(0, IV_BYTES));
  const body = decipher.update(sealed.subarray(IV_BYTES, split));
  try {
    const rest = decipher.final();
    // Blocks of padding alone, as at the end of a full chunk, leave nothing to join.
    if (rest.byteLength === 0) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    const plaintext = concatBytes(body, rest);
    rest.fill(0);
    body.fill(0);
    return plaintext;
  } catch {
    body.fill(0);
    return undefined;
  }
}

/** HMAC over `associated || IV || ciphertext || u64(bits of associated)`, so that no byte can change sides. */
function tagOf(key: CbcHmacKey, associated: Uint8Array, ivAndCiphertext: Uint8Array): Uint8Array {
  const hmac = createHmac(key.hash, key.authentication);
  hmac.update(associated).update(ivAndCiphertext).update(u64(8 * associated.byteLength));
  return hmac.digest().subarray(0, key.tagBytes);
}
