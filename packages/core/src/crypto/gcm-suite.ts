import type { FrameLayout } from './frame-layout.ts';
import { FrameSealer } from './frame-sealer.ts';
import { type FrameKey, type FramedSuite, TAG_BYTES, deriveFrameKey, openFrame } from './framed-aead.ts';
import type { MessageCipher, StreamSealer, Suite } from './suite.ts';

/** Suites 01 and 03 as sealing and opening see them. */
export function gcmSuite(parameters: FramedSuite): Suite {
  return {
    id: parameters.id,
    derive: (prk, salt, context) => new GcmMessage(deriveFrameKey(parameters, prk, salt, context)),
  };
}

export class GcmMessage implements MessageCipher {
  readonly layout: FrameLayout;
  readonly #frameKey: FrameKey;

  constructor(frameKey: FrameKey) {
    const { frameBytes, leadBytes, maxFrames } = frameKey.suite;
    this.layout = { frameBytes, leadBytes, maxFrames, overheadBytes: TAG_BYTES };
    this.#frameKey = frameKey;
  }

  get commitment(): Uint8Array {
    return this.#frameKey.commitment;
  }

  /** Needs no randomness: nonces are counted. */
  sealer(): StreamSealer {
    return new FrameSealer(this.#frameKey);
  }

  openFrame(index: number, frame: Uint8Array): Uint8Array | undefined {
    return openFrame(this.#frameKey, index, frame);
  }
}
