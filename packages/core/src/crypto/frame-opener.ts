import { ByteQueue } from '../byte-queue.ts';
import { fullFrameBytes } from './frame-layout.ts';
import type { MessageCipher } from './suite.ts';

/**
 * Opens a framed message as it comes, frame by frame. `undefined` means that
 * the message does not authenticate; nothing of the frame that failed, nor
 * anything behind it, is released. Keeps at most one frame and one chunk.
 */
export class FrameOpener {
  readonly #cipher: MessageCipher;
  readonly #queue = new ByteQueue();
  #index: number;
  /** After the last frame, or the first bad one: nothing more is released. */
  #over = false;

  /** @param firstIndex the frame that comes first; 0 unless the message is read from its middle */
  constructor(cipher: MessageCipher, firstIndex = 0) {
    this.#cipher = cipher;
    this.#index = firstIndex;
  }

  /** Whether every byte given so far was opened, so that nothing refers to them any more. */
  get isDrained(): boolean {
    return this.#queue.byteLength === 0;
  }

  /** Takes over `ciphertext` and gives the plaintext of every frame that is complete now. */
  push(ciphertext: Uint8Array): Uint8Array[] | undefined {
    if (this.#over) return undefined;
    this.#queue.push(ciphertext);
    const plaintexts: Uint8Array[] = [];
    for (;;) {
      const length = fullFrameBytes(this.#cipher.layout, this.#index);
      if (this.#queue.byteLength < length) return plaintexts;
      const plaintext = this.#cipher.openFrame(this.#index, this.#queue.take(length));
      if (plaintext === undefined) {
        this.#over = true;
        for (const opened of plaintexts) opened.fill(0);
        return undefined;
      }
      plaintexts.push(plaintext);
      this.#index++;
    }
  }

  /** The plaintext of the last frame. A message that ends with a full frame, or inside a tag, was truncated. */
  end(): Uint8Array | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    return this.#cipher.openFrame(this.#index, this.#queue.take(this.#queue.byteLength));
  }
}
