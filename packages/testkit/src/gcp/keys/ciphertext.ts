import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invalidArgument, type GcpError } from '../wire/gcp-error.ts';
import type { CryptoKey } from './crypto-key.ts';
import type { KeyVersion } from './key-version.ts';

// Format, private to this server: magic (4) | number of the version (4) | nonce (12) | ciphertext | tag (16).
// Authenticated beside it: magic, number, the name of the CryptoKey, and the caller's data.
const MAGIC = Buffer.from('KFTG');
const HEADER = MAGIC.length + 4;
const NONCE = 12;
const TAG = 16;

/** Encrypts under a version with AES-256-GCM; the key, the version and the caller's data are authenticated. */
export function encryptBlob(key: CryptoKey, version: KeyVersion, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const header = Buffer.concat([MAGIC, Buffer.alloc(4)]);
  header.writeUInt32BE(version.init.number, MAGIC.length);
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', version.secret, nonce);
  cipher.setAAD(bound(header, key, aad));
  return Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** @throws GcpError INVALID_ARGUMENT for an altered ciphertext, another key or other data; FAILED_PRECONDITION for a version that is not enabled */
export function decryptBlob(key: CryptoKey, blob: Uint8Array, aad: Uint8Array): { readonly plaintext: Buffer; readonly version: KeyVersion } {
  const header = Buffer.from(blob.subarray(0, HEADER));
  if (blob.length < HEADER + NONCE + TAG || !MAGIC.equals(header.subarray(0, MAGIC.length))) throw undecryptable();
  const version = key.versions[header.readUInt32BE(MAGIC.length) - 1];
  if (version === undefined) throw undecryptable();
  const decipher = createDecipheriv('aes-256-gcm', version.secret, blob.subarray(HEADER, HEADER + NONCE), { authTagLength: TAG });
  decipher.setAAD(bound(header, key, aad));
  decipher.setAuthTag(blob.subarray(blob.length - TAG));
  try {
    return { plaintext: Buffer.concat([decipher.update(blob.subarray(HEADER + NONCE, blob.length - TAG)), decipher.final()]), version };
  } catch {
    throw undecryptable();
  }
}

/** The name has no zero byte, so nothing of it can be taken for the caller's data. */
function bound(header: Uint8Array, key: CryptoKey, aad: Uint8Array): Buffer {
  return Buffer.concat([header, Buffer.from(`${key.init.name}\0`), aad]);
}

/** Cloud KMS does not say which of them it was. */
function undecryptable(): GcpError {
  return invalidArgument("Decryption failed: verify that 'name' refers to the correct CryptoKey.");
}
