import { createCipheriv, createDecipheriv, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { KeyfoldError } from '../errors.ts';
import { COBBLESTONE_256, COMMITMENT_BYTES, KEY_BYTES, SALT_BYTES, TAG_BYTES } from './framed-aead.ts';

const LABEL = Uint8Array.from(Buffer.from(`${COBBLESTONE_256.label}\0`, 'latin1'));
const BLOCK_BYTES = 64;
const NONCE_END = KEY_BYTES + 12;
const CHUNK_OFFSET = SALT_BYTES + COMMITMENT_BYTES;
/**
 * An array of more than 64 bytes is memory outside of V8's heap, for the
 * collector to find again: dear for values by the ten thousand. Nothing here
 * waits, so one set serves all, and is zeroed after each.
 */
const DERIVED = new Uint8Array(2 * BLOCK_BYTES);
const INPUT = new Uint8Array(1_024);
const GCM = { authTagLength: TAG_BYTES } as const;

/** A core message of one chunk has these bytes more than its plaintext. */
export const SINGLE_CHUNK_OVERHEAD_BYTES = CHUNK_OFFSET + TAG_BYTES;
/** A full chunk is never the last, so one chunk alone holds a byte less. */
export const SINGLE_CHUNK_CAPACITY = COBBLESTONE_256.frameBytes - TAG_BYTES - 1;

/**
 * Completes a core message (Cobblestone-256) of one chunk, whose salt is in
 * place: what message.ts does for any length, without its copies, for values
 * that are sealed by the ten thousand.
 * @param context parts that follow each other
 * @param message salt (24 bytes, drawn afresh), and room for commitment, ciphertext and tag
 * @throws KeyfoldError INVALID_ARGUMENT for a key of another size than 32 bytes
 */
export function sealSingleChunk(
  prk: KeyObject,
  context: readonly Uint8Array[],
  plaintext: Uint8Array,
  message: Uint8Array,
): void {
  if (prk.symmetricKeySize !== KEY_BYTES) throw new KeyfoldError('INVALID_ARGUMENT', `A key has exactly ${KEY_BYTES} bytes.`);
  if (plaintext.byteLength > SINGLE_CHUNK_CAPACITY || message.byteLength !== plaintext.byteLength + SINGLE_CHUNK_OVERHEAD_BYTES) {
    throw new RangeError('a message of another size');
  }
  const derived = derive(prk, message.subarray(0, SALT_BYTES), context);
  try {
    message.set(derived.subarray(NONCE_END, NONCE_END + COMMITMENT_BYTES), SALT_BYTES);
    const cipher = createCipheriv('aes-256-gcm', chunkKey(derived), derived.subarray(KEY_BYTES, NONCE_END), GCM);
    message.set(cipher.update(plaintext), CHUNK_OFFSET);
    cipher.final();
    message.set(cipher.getAuthTag(), CHUNK_OFFSET + plaintext.byteLength);
  } finally {
    derived.fill(0);
  }
}

/** The plaintext of a core message of one chunk, or undefined when any check fails. */
export function openSingleChunk(prk: KeyObject, context: readonly Uint8Array[], message: Uint8Array): Uint8Array | undefined {
  const length = message.byteLength - SINGLE_CHUNK_OVERHEAD_BYTES;
  if (prk.symmetricKeySize !== KEY_BYTES || length < 0 || length > SINGLE_CHUNK_CAPACITY) return undefined;
  const derived = derive(prk, message.subarray(0, SALT_BYTES), context);
  try {
    const commitment = derived.subarray(NONCE_END, NONCE_END + COMMITMENT_BYTES);
    if (!timingSafeEqual(commitment, message.subarray(SALT_BYTES, CHUNK_OFFSET))) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', chunkKey(derived), derived.subarray(KEY_BYTES, NONCE_END), GCM);
    decipher.setAuthTag(message.subarray(CHUNK_OFFSET + length));
    const plaintext = decipher.update(message.subarray(CHUNK_OFFSET, CHUNK_OFFSET + length));
    return authenticated(decipher, plaintext);
  } finally {
    derived.fill(0);
  }
}

function authenticated(decipher: { final(): Buffer }, plaintext: Buffer): Uint8Array | undefined {
  try {
    decipher.final();
    // A plain Uint8Array over the same memory: a Buffer's slice() would alias it.
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}

function chunkKey(derived: Uint8Array): KeyObject {
  return createSecretKey(derived.subarray(0, KEY_BYTES));
}

/**
 * T1 || T2, whose first 76 bytes are K || N || C. Both blocks are hashed from
 * one buffer: T1 || info || counter. The caller zeroes what it is given, which
 * is the same memory every time.
 */
function derive(prk: KeyObject, salt: Uint8Array, context: readonly Uint8Array[]): Uint8Array {
  let length = BLOCK_BYTES + LABEL.byteLength + SALT_BYTES + 1;
  for (const part of context) length += part.byteLength;
  const input = length <= INPUT.byteLength ? INPUT.subarray(0, length) : new Uint8Array(length);
  let at = BLOCK_BYTES;
  input.set(LABEL, at);
  input.set(salt, (at += LABEL.byteLength));
  at += SALT_BYTES;
  for (const part of context) {
    input.set(part, at);
    at += part.byteLength;
  }
  input[at] = 1;
  take(createHmac('sha512', prk).update(input.subarray(BLOCK_BYTES)).digest(), DERIVED, 0);
  input.set(DERIVED.subarray(0, BLOCK_BYTES));
  input[at] = 2;
  take(createHmac('sha512', prk).update(input).digest(), DERIVED, BLOCK_BYTES);
  input.fill(0, 0, BLOCK_BYTES);
  return DERIVED;
}

/** Moves a digest, leaving nothing behind. */
function take(digest: Uint8Array, to: Uint8Array, at: number): void {
  to.set(digest, at);
  digest.fill(0);
}
