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

describe('how much a message holds', () => {
  test.each([SUITES['aes-256-gcm'], SUITES['cobblestone-256']])('suite $id: its length tells, around every edge', (suite) => {
    const { frameBytes, overheadBytes, leadBytes } = layoutOf(suite.id);
    const capacity = frameBytes - overheadBytes;
    for (const plaintext of [0, 1, capacity - leadBytes - 1, capacity - leadBytes, capacity - leadBytes + 1, 5 * capacity - leadBytes, 7 * capacity]) {
      const frames = Math.floor((plaintext + leadBytes) / capacity) + 1;
      expect(suite.plaintextLength(plaintext + frames * overheadBytes)).toBe(plaintext);
    }
    expect(suite.plaintextLength(3 * frameBytes - leadBytes)).toBeUndefined();
    expect(suite.plaintextLength(5)).toBe(0);
  });

  test('suite 2: its length does not tell, because padding is part of it', () => {
    expect(SUITES['aes-256-cbc-hmac-sha256'].plaintextLength(1_000)).toBeUndefined();
  });
});

describe('where the frames are', () => {
  test.each([
    [1, 0, 0, 0], [1, 1, 16_400, 16_384], [1, 5, 82_000, 81_920],
    [2, 0, 0, 0], [2, 1, 16_448, 16_384], [2, 5, 82_240, 81_920],
    [3, 0, 0, 0], [3, 1, F - 96, F - 112], [3, 2, 2 * F - 96, 2 * F - 128],
  ])('suite %i: frame %i begins at %i, its plaintext at %i', (id, index, start, plaintextStart) => {
    expect(framePlace(layoutOf(id), index)).toEqual({ index, start, plaintextStart });
  });

  test.each([
    [1, 3_003_040, 183, 3_001_296, [91], 1_492_496, 1_508_896, 9_056],
    [2, 3_011_872, 183, 3_010_080, [91], 1_496_864, 1_513_312, 9_056],
    [3, 3_000_144, 2, 2_097_152, [1], 1_048_576, 2_097_152, 451_536],
  ] as const)('suite %i: the example of the specification of range reads', (id, size, lastIndex, lastAt, indices, from, to, offset) => {
    const layout = layoutOf(id);
    const last = lastFrame(layout, size - 96);
    expect([last?.index, (last?.start ?? 0) + 96]).toEqual([lastIndex, lastAt]);
    const place = frameHolding(layout, 1_500_000);
    expect([place.index, frameHolding(layout, 1_501_023).index]).toEqual([...indices, ...indices]);
    expect([place.start + 96, framePlace(layout, place.index + 1).start + 96]).toEqual([from, to]);
    expect(1_500_000 - place.plaintextStart).toBe(offset);
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
