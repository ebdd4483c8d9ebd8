import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invalidCiphertext } from '../wire/aws-error.ts';
import type { KeyMaterial } from './key-material.ts';

/** The names that a ciphertext is bound to. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** What a ciphertext says of itself before anything of it is believed. */
export interface CiphertextHeader {
  readonly keyId: string;
  readonly materialId: string;
}

// Format, private to this server: magic (4) | length of key id (1) | key id | material id (32) |
// nonce (12) | ciphertext | tag (16). Everything in front of the nonce is authenticated.
const MAGIC = Buffer.from('KFTA');
const MATERIAL_ID = 32;
const NONCE = 12;
const TAG = 16;

/** Encrypts under key material with AES-256-GCM; key, material and context are authenticated. */
export function encryptBlob(
  keyId: string,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
): Uint8Array {
  const header = Buffer.concat([MAGIC, Buffer.of(keyId.length), Buffer.from(keyId, 'latin1'), Buffer.from(material.id, 'hex')]);
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', material.secret, nonce);
  cipher.setAAD(additionalData(header, context));
  return new Uint8Array(Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** @throws AwsError InvalidCiphertextException for what this server cannot have written */
export function parseHeader(blob: Uint8Array): CiphertextHeader & { readonly length: number } {
  const keyIdLength = blob[MAGIC.length] ?? 0;
  const length = MAGIC.length + 1 + keyIdLength + MATERIAL_ID;
  if (!MAGIC.equals(blob.subarray(0, MAGIC.length)) || blob.length < length + NONCE + TAG) throw invalidCiphertext();
  const keyId = Buffer.from(blob.subarray(MAGIC.length + 1, length - MATERIAL_ID)).toString('latin1');
  return { keyId, materialId: Buffer.from(blob.subarray(length - MATERIAL_ID, length)).toString('hex'), length };
}

/** @throws AwsError InvalidCiphertextException for an altered ciphertext or another context */
export function decryptBlob(material: KeyMaterial, blob: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  const { length } = parseHeader(blob);
  const decipher = createDecipheriv('aes-256-gcm', material.secret, blob.subarray(length, length + NONCE), { authTagLength: TAG });
  decipher.setAAD(additionalData(blob.subarray(0, length), context));
  decipher.setAuthTag(blob.subarray(blob.length - TAG));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(blob.subarray(length + NONCE, blob.length - TAG)), decipher.final()]));
  } catch {
    throw invalidCiphertext();
  }
}

/** The order in which a client names the pairs of a context does not matter; no context is an empty one. */
function additionalData(header: Uint8Array, context: EncryptionContext = {}): Uint8Array {
  const pairs = Object.entries(context).sort(([left], [right]) => (left < right ? -1 : 1));
  return Buffer.concat([header, Buffer.from(JSON.stringify(pairs))]);
}
