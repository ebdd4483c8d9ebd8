import type { KeyObject } from 'node:crypto';
import { KeyfoldError } from '../errors.ts';
import type { FrameLayout } from './frame-layout.ts';
import type { RandomSource } from './random.ts';

/** A way to seal the data of a checkpoint. Sealing and opening know suites by this alone. */
export interface Suite {
  /** The byte that names it in headers. */
  readonly id: number;
  /** @throws KeyfoldError INVALID_ARGUMENT for a key of another size than 32 bytes, or a salt of another than 24 */
  derive(prk: KeyObject, salt: Uint8Array, context: Uint8Array): MessageCipher;
  /** Plaintext of a message whose frames have `length` bytes, where the length alone tells. */
  plaintextLength(length: number): number | undefined;
}

/** The keys of one message, and what they can do. */
export interface MessageCipher {
  readonly layout: FrameLayout;
  /** 32 bytes, written in front of the frames: opening with another key or context is refused. */
  readonly commitment: Uint8Array;
  /** For the one plaintext that is ever sealed under these keys. */
  sealer(random: RandomSource): StreamSealer;
  /**
   * The plaintext of a frame, which is the last one exactly if it is shorter
   * than a full one. Undefined when it does not authenticate, for whatever
   * reason; then nothing of it was released.
   */
  openFrame(index: number, frame: Uint8Array): Uint8Array | undefined;
}

/** Seals a message of unknown length as it comes. */
export interface StreamSealer {
  /**
   * Ciphertext, in order. The memory of `plaintext` may be reused afterwards.
   * @throws KeyfoldError LIMIT_EXCEEDED beyond the suite's number of frames, CLOSED after end()
   */
  push(plaintext: Uint8Array): Uint8Array[];
  /**
   * The rest of the last frame.
   * @throws KeyfoldError CLOSED when called again, or after push() found too many frames
   */
  end(): Uint8Array;
}

export function sealedObjectEnded(): KeyfoldError {
  return new KeyfoldError('CLOSED', 'This sealed object has ended; nothing can be added to it.');
}

export function tooManyFrames(maxFrames: number): KeyfoldError {
  return new KeyfoldError('LIMIT_EXCEEDED', `A sealed object has at most ${maxFrames} frames.`);
}
