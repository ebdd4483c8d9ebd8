import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { constantTimeEqual } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { fullFrameBytes, isFrameIndex } from './frame-layout.ts';
import { COMMITMENT_BYTES, KEY_BYTES, deriveMessageKeys } from './message-keys.ts';

export { COMMITMENT_BYTES, KEY_BYTES, SALT_BYTES } from './message-keys.ts';

export const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** What distinguishes the framed suites 01 and 03; everything else they share. */
export interface FramedSuite {
  /** The byte that names it in headers. */
  readonly id: number;
  /** Domain separation: opens the HKDF info. */
  readonly label: string;
  /** A full encrypted frame, tag included. Only a shorter one can be the last. */
  readonly frameBytes: number;
  /** How much of frame 0 is taken by what precedes the ciphertext, so that frames align with the object. */
  readonly leadBytes: number;
  readonly maxFrames: number;
}

/** Suite 01, Cobblestone-256 (c2sp.org/chunked-encryption): 16 KiB of plaintext a frame. */
export const COBBLESTONE_256: FramedSuite = {
  id: 0x01,
  label: 'c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM',
  frameBytes: 16_384 + TAG_BYTES,
  leadBytes: 0,
  maxFrames: 2 ** 38,
};

/** Suite 03: the same construction with 1 MiB frames aligned to offsets of the data object. */
export const AES_256_GCM_1M: FramedSuite = {
  id: 0x03,
  label: 'keyfold/aes-256-gcm-1m/v1',
  frameBytes: 1_048_576,
  leadBytes: 96,
  maxFrames: 2 ** 32,
};

/** Encrypted length of `plaintext` bytes. */
export function ciphertextLength(suite: FramedSuite, plaintext: number): number {
  const firstCapacity = fullFrameBytes(suite, 0) - TAG_BYTES;
  const later = plaintext < firstCapacity ? 0 : 1 + Math.floor((plaintext - firstCapacity) / (suite.frameBytes - TAG_BYTES));
  return plaintext + (later + 1) * TAG_BYTES;
}

/** A salted, committed key for one message: the outcome of the suite's derivation. */
export interface FrameKey {
  readonly suite: FramedSuite;
  readonly key: KeyObject;
  /** 12 bytes; frame i uses it xor uint96(i). */
  readonly nonce: Uint8Array;
  /** 32 bytes, written in front of the frames: opening with another key or context is refused. */
  readonly commitment: Uint8Array;
}

/**
 * K(32) || N(12) || C(32) = HKDF-Expand-SHA-512(prk, label 00 || salt || context, 76).
 * @throws KeyfoldError INVALID_ARGUMENT for a key of another size than 32 bytes
 */
export function deriveFrameKey(suite: FramedSuite, prk: KeyObject, salt: Uint8Array, context: Uint8Array): FrameKey {
  const derived = deriveMessageKeys(suite.label, prk, salt, context, KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES);
  const frameKey = {
    suite,
    key: createSecretKey(derived.subarray(0, KEY_BYTES)),
    nonce: derived.slice(KEY_BYTES, KEY_BYTES + NONCE_BYTES),
    commitment: derived.slice(KEY_BYTES + NONCE_BYTES),
  };
  derived.fill(0);
  return frameKey;
}

/** Whether a message was sealed under this key, salt and context. Constant time. */
export function commitmentMatches(derived: Pick<FrameKey, 'commitment'>, commitment: Uint8Array): boolean {
  return constantTimeEqual(derived.commitment, commitment);
}

/**
 * Ciphertext and tag of one frame, in pieces so that no copy joins them.
 * @throws KeyfoldError LIMIT_EXCEEDED at the suite's largest number of frames
 */
export function sealFrame(frameKey: FrameKey, index: number, plaintext: readonly Uint8Array[]): Uint8Array[] {
  // An index that does not fit its counter would repeat a nonce.
  if (!isFrameIndex(frameKey.suite, index)) {
    throw new KeyfoldError('LIMIT_EXCEEDED', 'The data has more frames than its suite permits.');
  }
  const cipher = createCipheriv('aes-256-gcm', frameKey.key, frameNonce(frameKey.nonce, index), {
    authTagLength: TAG_BYTES,
  });
  const pieces: Uint8Array[] = plaintext.filter((part) => part.byteLength > 0).map((part) => cipher.update(part));
  cipher.final();
  pieces.push(cipher.getAuthTag());
  return pieces;
}

/** The plaintext of one frame, or undefined when it does not authenticate; then nothing of it was released. */
export function openFrame(frameKey: FrameKey, index: number, frame: Uint8Array): Uint8Array | undefined {
  if (frame.byteLength < TAG_BYTES || !isFrameIndex(frameKey.suite, index)) return undefined;
  const split = frame.byteLength - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', frameKey.key, frameNonce(frameKey.nonce, index), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(frame.subarray(split));
  const plaintext = decipher.update(frame.subarray(0, split));
  try {
    decipher.final();
    // A plain Uint8Array over the same memory: a Buffer's slice() would alias it.
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}

/** N xor uint96(index). */
export function frameNonce(nonce: Uint8Array, index: number): Uint8Array {
  // Neither slice(), which aliases where the nonce is a Buffer, nor a DataView, which moves the array off the heap.
  const out = new Uint8Array(nonce);
  for (let at = NONCE_BYTES - 1, rest = index; rest > 0; at--, rest = Math.floor(rest / 256)) {
    out[at] = (out[at] ?? 0) ^ (rest % 256);
  }
  return out;
}
