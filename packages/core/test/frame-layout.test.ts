import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FrameLayout, frameHolding, framePlace, fullFrameBytes, lastFrame } from '../src/crypto/frame-layout.ts';
import { SUITES } from '../src/sealing/suites.ts';
import { patterned, secretKey } from './support/bytes.ts';

const F = 1_048_576;
const LAYOUTS = Object.values(SUITES).map((suite) => ({
  id: suite.id,
  layout: suite.derive(secretKey(patterned(32)), patterned(24), new Uint8Array(0)).layout,
}));

function layoutOf(id: number): FrameLayout {
  const found = LAYOUTS.find((entry) => entry.id === id);
  if (found === undefined) throw new Error(`no suite ${id}`);
  return found.layout;
}

describe('where the frames are', () => {
  test.each([
    [1, 0, 0, 0], [1, 1, 16_400, 16_384], [1, 5, 82_000, 81_920],
    [2, 0, 0, 0], [2, 1, 16_448, 16_384], [2, 5, 82_240, 81_920],
    [3, 0, 0, 0], [3, 1, F - 96, F - 112], [3, 2, 2 * F - 96, 2 * F - 128],
  ])('suite %i: frame %i begins at %i, its plaintext at %i', (id, index, start, plaintextStart) => {
    expect(framePlace(layoutOf(id), index)).toEqual({ index, start, plaintextStart });
  });

  test.each(LAYOUTS)('suite $id: every frame begins where the one before ends', ({ layout }) => {
    for (const index of [0, 1, 2, 1_000, layout.maxFrames - 2]) {
      const [here, next] = [framePlace(layout, index), framePlace(layout, index + 1)];
      expect(next.start - here.start).toBe(fullFrameBytes(layout, index));
      expect(next.plaintextStart - here.plaintextStart).toBe(fullFrameBytes(layout, index) - layout.overheadBytes);
    }
  });

  test.each(LAYOUTS)('suite $id: an offset is in the frame that begins at it or before, and in no later one', ({ layout }) => {
    const offset = fc.oneof(fc.nat({ max: 5 * F }), fc.maxSafeNat().map((n) => Math.floor(n / 4)));
    fc.assert(
      fc.property(offset, fc.nat({ max: 2 ** 31 }), fc.integer({ min: -1, max: 1 }), (anywhere, index, delta) => {
        for (const at of [anywhere, framePlace(layout, index).plaintextStart + delta]) {
          if (at < 0) return;
          const place = frameHolding(layout, at);
          expect(place.plaintextStart).toBeLessThanOrEqual(at);
          expect(framePlace(layout, place.index + 1).plaintextStart).toBeGreaterThan(at);
        }
      }),
    );
  });

  test.each(LAYOUTS)('suite $id: a message that ends on an edge has no last frame', ({ layout }) => {
    expect(lastFrame(layout, 0)).toBeUndefined();
    for (const index of [1, 2, 77, layout.maxFrames - 1]) {
      const edge = framePlace(layout, index).start;
      expect(lastFrame(layout, edge)).toBeUndefined();
      expect(lastFrame(layout, edge - 1)?.index).toBe(index - 1);
      expect(lastFrame(layout, edge + 1)?.index).toBe(index);
    }
  });

  test.each(LAYOUTS)('suite $id: a message of too many frames has no last frame', ({ layout }) => {
    expect(lastFrame(layout, framePlace(layout, layout.maxFrames).start + 64)).toBeUndefined();
    expect(lastFrame(layout, framePlace(layout, layout.maxFrames).start - 1)?.index).toBe(layout.maxFrames - 1);
  });
});
