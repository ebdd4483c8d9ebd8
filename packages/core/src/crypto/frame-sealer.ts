import { createCipheriv, type CipherGCM } from 'node:crypto';
import { fullFrameBytes } from './frame-layout.ts';
import { TAG_BYTES, type FrameKey, frameNonce } from './framed-aead.ts';
import { type StreamSealer, sealedObjectEnded, tooManyFrames } from './suite.ts';

/**
 * Seals a message of suite 01 or 03 as it comes. Plaintext is encrypted at once
 * and never kept, so a caller may reuse a chunk's memory after push().
 */
export class FrameSealer implements StreamSealer {
  readonly #frameKey: FrameKey;
  #cipher: CipherGCM;
  #index = 0;
  #ended = false;
  /** Plaintext bytes that the current frame still takes. */
  #room: number;

  constructor(frameKey: FrameKey) {
    this.#frameKey = frameKey;
    this.#cipher = this.#begin();
    this.#room = fullFrameBytes(frameKey.suite, 0) - TAG_BYTES;
  }

  /** The ciphertext that `plaintext` gives, in order; full frames end with their tag. */
  push(plaintext: Uint8Array): Uint8Array[] {
    if (this.#ended) throw sealedObjectEnded();
    const pieces: Uint8Array[] = [];
    let offset = 0;
    while (offset < plaintext.byteLength) {
      const part = plaintext.subarray(offset, offset + this.#room);
      offset += part.byteLength;
      this.#room -= part.byteLength;
      pieces.push(this.#cipher.update(part));
      // A full frame is never the last one, so the next begins whether or not bytes follow.
      if (this.#room === 0) pieces.push(this.#nextFrame());
    }
    return pieces;
  }

  /** The rest of the last, shorter frame: a tag alone where push() gave the rest already. */
  end(): Uint8Array {
    if (this.#ended) throw sealedObjectEnded();
    this.#ended = true;
    return this.#tag();
  }

  #tag(): Uint8Array {
    this.#cipher.final();
    return this.#cipher.getAuthTag();
  }

  #nextFrame(): Uint8Array {
    const tag = this.#tag();
    const { suite } = this.#frameKey;
    this.#index++;
    if (this.#index >= suite.maxFrames) {
      this.#ended = true;
      throw tooManyFrames(suite.maxFrames);
    }
    this.#cipher = this.#begin();
    this.#room = fullFrameBytes(suite, this.#index) - TAG_BYTES;
    return tag;
  }

  #begin(): CipherGCM {
    return createCipheriv('aes-256-gcm', this.#frameKey.key, frameNonce(this.#frameKey.nonce, this.#index), {
      authTagLength: TAG_BYTES,
    });
  }
}
