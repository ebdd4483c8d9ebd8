import { type FrameLayout, lastFrame } from './frame-layout.ts';
import { FrameSealer } from './frame-sealer.ts';
import { type FrameKey, type FramedSuite, TAG_BYTES, deriveFrameKey, openFrame } from './framed-aead.ts';
import type { MessageCipher, StreamSealer, Suite } from './suite.ts';

/** Suites 01 and 03 as sealing and opening see them. */
export function gcmSuite(parameters: FramedSuite): Suite {
  return {
    id: parameters.id,
    derive: (prk, salt, context) => new GcmMessage(deriveFrameKey(parameters, prk, salt, context)),
    plaintextLength: (length) => {
      const last = lastFrame(layoutOf(parameters), length);
      return last === undefined ? undefined : Math.max(0, last.plaintextStart + length - last.start - TAG_BYTES);
    },
  };
}

function layoutOf({ frameBytes, leadBytes, maxFrames }: FramedSuite): FrameLayout {
  return { frameBytes, leadBytes, maxFrames, overheadBytes: TAG_BYTES };
}

export class GcmMessage implements MessageCipher {
  readonly layout: FrameLayout;
  readonly #frameKey: FrameKey;

  constructor(frameKey: FrameKey) {
    this.layout = layoutOf(frameKey.suite);
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
