/** Where the frames of a message lie: all that opening and range reading have to know of a suite. */
export interface FrameLayout {
  /** A full encrypted frame. Only a shorter one can be the last. */
  readonly frameBytes: number;
  /** How much of frame 0 is taken by what precedes the ciphertext, so that frames align with the object. */
  readonly leadBytes: number;
  /** By how much a full frame is longer than its plaintext. */
  readonly overheadBytes: number;
  readonly maxFrames: number;
}

/** A frame and where it begins, counted in encrypted bytes behind the commitment and in plaintext bytes. */
export interface FramePlace {
  readonly index: number;
  readonly start: number;
  readonly plaintextStart: number;
}

/** Encrypted bytes of a full frame `index`. */
export function fullFrameBytes(layout: Pick<FrameLayout, 'frameBytes' | 'leadBytes'>, index: number): number {
  return index === 0 ? layout.frameBytes - layout.leadBytes : layout.frameBytes;
}

export function framePlace(layout: FrameLayout, index: number): FramePlace {
  const start = index === 0 ? 0 : index * layout.frameBytes - layout.leadBytes;
  return { index, start, plaintextStart: start - index * layout.overheadBytes };
}

/** The frame that holds the plaintext's byte `offset`. */
export function frameHolding(layout: FrameLayout, offset: number): FramePlace {
  return framePlace(layout, Math.floor((offset + layout.leadBytes) / (layout.frameBytes - layout.overheadBytes)));
}

/**
 * The last frame of a message of `length` encrypted bytes, or undefined when
 * no message has that length: it was cut at an edge, or has too many frames.
 */
export function lastFrame(layout: FrameLayout, length: number): FramePlace | undefined {
  const place = framePlace(layout, Math.floor((length + layout.leadBytes) / layout.frameBytes));
  return place.start < length && place.index < layout.maxFrames ? place : undefined;
}

/** An index outside of these would not fit its counter. */
export function isFrameIndex(layout: Pick<FrameLayout, 'maxFrames'>, index: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < layout.maxFrames;
}
