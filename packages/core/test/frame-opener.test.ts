import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { FrameOpener } from '../src/crypto/frame-opener.ts';
import { fullFrameBytes } from '../src/crypto/frame-layout.ts';
import { AES_256_GCM_1M, COBBLESTONE_256, type FramedSuite, deriveFrameKey } from '../src/crypto/framed-aead.ts';
import { GcmMessage } from '../src/crypto/gcm-suite.ts';
import { FrameSealer } from '../src/crypto/frame-sealer.ts';
import { flipBit, patterned, secretKey } from './support/bytes.ts';
import { REFERENCE_SUITES, cutAt, referenceSeal, same } from './support/reference.ts';

const F = 1_048_576;
const KEY = patterned(32, 'key');
const SALT = patterned(24, 'salt');
const CONTEXT = patterned(70, 'context');
const TINY: FramedSuite = { id: 9, label: 'tiny', frameBytes: 48, leadBytes: 8, maxFrames: 5 };
const SUITES = { 1: COBBLESTONE_256, 3: AES_256_GCM_1M } as const;

function opener(suite: FramedSuite, salt: Uint8Array = SALT): FrameOpener {
  return new FrameOpener(new GcmMessage(deriveFrameKey(suite, secretKey(KEY), salt, CONTEXT)));
}

function seal(suite: FramedSuite, plaintext: Uint8Array, salt: Uint8Array = SALT): Buffer {
  const sealer = new FrameSealer(deriveFrameKey(suite, secretKey(KEY), salt, CONTEXT));
  return Buffer.concat([...sealer.push(plaintext), sealer.end()]);
}

interface Outcome {
  readonly released: Buffer;
  readonly complete: boolean;
}

/** Pushes chunks until one is refused; what a careful reader would have by then. */
function open(suite: FramedSuite, chunks: readonly Uint8Array[], salt?: Uint8Array): Outcome {
  const frames = opener(suite, salt);
  const released: Uint8Array[] = [];
  for (const chunk of chunks) {
    const plaintexts = frames.push(chunk);
    if (plaintexts === undefined) return { released: Buffer.concat(released), complete: false };
    released.push(...plaintexts);
  }
  const last = frames.end();
  return { released: Buffer.concat([...released, last ?? new Uint8Array(0)]), complete: last !== undefined };
}

/** Each frame by itself, as in {@link FrameSealer}'s output. */
function framesOf(suite: FramedSuite, message: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0, index = 0; at < message.byteLength; index++) {
    const end = at + fullFrameBytes(suite, index);
    frames.push(message.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Refused, and only a prefix of the plaintext was released, cut at a frame's edge. */
function expectRefused(suite: FramedSuite, chunks: readonly Uint8Array[], plaintext: Uint8Array): void {
  const { released, complete } = open(suite, chunks);
  expect(complete).toBe(false);
  expect(same(released, plaintext.subarray(0, released.byteLength))).toBe(true);
  const edges = [0, ...Array.from({ length: suite.maxFrames > 8 ? 8 : suite.maxFrames }, (_, i) => edge(suite, i + 1))];
  expect(edges).toContain(released.byteLength);
}

/** Plaintext offset at which frame `index` begins. */
function edge(suite: FramedSuite, index: number): number {
  return index * (suite.frameBytes - 16) - suite.leadBytes;
}

describe('FrameOpener', () => {
  test.each([
    ...[0, 1, 16_383, 16_384, 16_385, 32_768, 32_769].map((size) => [1, size] as const),
    ...[0, 1, F - 113, F - 112, F - 111, 2 * F - 129, 2 * F - 128, 2 * F - 127].map((size) => [3, size] as const),
  ])('opens what a one-shot reference of suite %i made of %i bytes', (id, size) => {
    const plaintext = patterned(size);
    const { frames } = referenceSeal(REFERENCE_SUITES[id], KEY, SALT, CONTEXT, plaintext);
    const { released, complete } = open(SUITES[id], [Buffer.concat(frames)]);
    expect(complete).toBe(true);
    expect(same(released, plaintext)).toBe(true);
  });

  test('any chunking of the ciphertext gives the same plaintext', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 16_384, 40_000), fc.array(fc.nat({ max: 41_000 }), { maxLength: 12 }), (size, cuts) => {
        const plaintext = patterned(size);
        const { released, complete } = open(COBBLESTONE_256, cutAt(seal(COBBLESTONE_256, plaintext), cuts));
        return complete && same(released, plaintext);
      }),
    );
  });

  test('any chunking of several 1 MiB frames gives the same plaintext', () => {
    const plaintext = patterned(2 * F);
    const message = seal(AES_256_GCM_1M, plaintext);
    const place = fc.oneof(fc.nat({ max: 2 * F }), fc.constantFrom(F - 97, F - 96, F - 95, 2 * F - 96));
    fc.assert(
      fc.property(fc.array(place, { maxLength: 6 }), (cuts) => {
        const { released, complete } = open(AES_256_GCM_1M, cutAt(message, cuts));
        return complete && same(released, plaintext);
      }),
      { numRuns: 25 },
    );
  });

  test('a message that comes byte by byte opens', () => {
    const plaintext = patterned(F + 10);
    const message = seal(AES_256_GCM_1M, plaintext);
    const { released, complete } = open(AES_256_GCM_1M, Array.from(message, (byte) => Uint8Array.of(byte)));
    expect(complete).toBe(true);
    expect(same(released, plaintext)).toBe(true);
  });

  test('every truncation of a small message of several frames is refused', () => {
    const plaintext = patterned(24 + 32 + 20);
    const message = seal(TINY, plaintext);
    for (let length = 0; length < message.byteLength; length++) {
      expectRefused(TINY, [message.subarray(0, length)], plaintext);
    }
  });

  test.each([1, 3] as const)('suite %i refuses truncation at every frame edge and inside every tag', (id) => {
    const suite = SUITES[id];
    const plaintext = patterned(edge(suite, 2) + 100);
    const message = seal(suite, plaintext);
    const edges = [0, fullFrameBytes(suite, 0), fullFrameBytes(suite, 0) + suite.frameBytes, message.byteLength];
    const lengths = edges.flatMap((at) => [at - 17, at - 16, at - 15, at - 1, at, at + 1, at + 15, at + 16, at + 17]);
    for (const length of lengths) {
      if (length >= 0 && length < message.byteLength) expectRefused(suite, [message.subarray(0, length)], plaintext);
    }
  });

  test('a message that ended on a frame edge is refused without its last tag', () => {
    const plaintext = patterned(24 + 32);
    const message = seal(TINY, plaintext);
    expectRefused(TINY, [message.subarray(0, -16)], plaintext);
  });

  test.each([1, 15, 16, 17, 48])('a message extended by %i bytes is refused', (extra) => {
    for (const size of [0, 5, 24, 30, 24 + 32]) {
      const plaintext = patterned(size);
      expectRefused(TINY, [seal(TINY, plaintext), patterned(extra, 'more')], plaintext);
      expectRefused(TINY, [seal(TINY, plaintext), new Uint8Array(extra)], plaintext);
    }
  });

  test('every bit flip is refused, and nothing of the frame that it is in is released', () => {
    const plaintext = patterned(24 + 32 + 7);
    const message = seal(TINY, plaintext);
    for (let bit = 0; bit < message.byteLength * 8; bit++) {
      const damaged = flipBit(message, bit);
      const { released, complete } = open(TINY, [...framesOf(TINY, damaged)]);
      const frame = bit < 40 * 8 ? 0 : bit < 88 * 8 ? 1 : 2;
      expect(complete).toBe(false);
      expect(same(released, plaintext.subarray(0, [0, 24, 56][frame]))).toBe(true);
    }
  });

  describe('frames of one length', () => {
    // No lead: every full frame has the same length, so that any order parses.
    const flat: FramedSuite = { ...TINY, leadBytes: 0 };
    const plaintext = patterned(3 * 32 + 9);
    const frames = framesOf(flat, seal(flat, plaintext));
    const [a, b, c, last] = frames as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const foreign = framesOf(flat, seal(flat, patterned(3 * 32 + 9, 'foreign'), patterned(24, 'other salt')));

    test.each([
      ['the first two swapped', [b, a, c, last]],
      ['two in the middle swapped', [a, c, b, last]],
      ['the first duplicated', [a, a, b, c, last]],
      ['one in the middle duplicated', [a, b, b, c, last]],
      ['the last duplicated', [a, b, c, last, last]],
      ['the first dropped', [b, c, last]],
      ['one in the middle dropped', [a, c, last]],
      ['the last dropped', [a, b, c]],
      ['all dropped', []],
      ['a valid full frame appended', [a, b, c, last, a]],
      ['the last frame moved to the front', [last, a, b, c]],
      ['a frame of another message in the middle', [a, ...foreign.slice(1, 2), c, last]],
      ['the end of another message', [a, b, c, ...foreign.slice(3)]],
    ])('with %s are refused', (_, altered) => {
      expectRefused(flat, altered, plaintext);
      expectRefused(flat, [Buffer.concat(altered)], plaintext);
    });

    test('are accepted as they were', () => {
      expect(open(flat, frames)).toEqual({ released: Buffer.from(plaintext), complete: true });
    });
  });

  test.each([1, 3] as const)('suite %i refuses a valid frame appended after the last', (id) => {
    const suite = SUITES[id];
    const plaintext = patterned(100);
    const message = seal(suite, plaintext);
    expectRefused(suite, [message, message], plaintext);
  });

  test('the same message under another salt is refused', () => {
    expect(open(TINY, [seal(TINY, patterned(60))], patterned(24, 'other salt'))).toEqual({ released: Buffer.alloc(0), complete: false });
  });

  test('good frames that came in one chunk with a bad one are zeroed, not released', () => {
    const message = seal(TINY, patterned(24 + 32 + 7));
    const zeroed: Uint8Array[] = [];
    const fill = vi.spyOn(Uint8Array.prototype, 'fill').mockImplementation(function (this: Uint8Array) {
      zeroed.push(this);
      for (let at = 0; at < this.byteLength; at++) this[at] = 0;
      return this;
    });
    expect(opener(TINY).push(flipBit(message, 50 * 8))).toBeUndefined();
    fill.mockRestore();
    expect(zeroed).toContainEqual(new Uint8Array(24));
  });

  test('nothing behind a bad frame is released, not even a frame that would open in its place', () => {
    const message = seal(TINY, patterned(5));
    const frames = opener(TINY);
    expect(frames.push(new Uint8Array(40))).toBeUndefined();
    expect(frames.push(message)).toBeUndefined();
    expect(frames.end()).toBeUndefined();
  });

  test('a message ends once', () => {
    const frames = opener(TINY);
    frames.push(seal(TINY, patterned(5)));
    expect(frames.end()).toEqual(patterned(5));
    expect(frames.end()).toBeUndefined();
    expect(frames.push(seal(TINY, patterned(5)))).toBeUndefined();
  });

  test('more frames than the suite permits are refused, though each would open', () => {
    const plaintext = patterned(24 + 32 + 32);
    const message = seal(TINY, plaintext);
    expect(open({ ...TINY, maxFrames: 4 }, [message]).complete).toBe(true);
    expect(open({ ...TINY, maxFrames: 3 }, [message]).complete).toBe(false);
    expect(open({ ...TINY, maxFrames: 2 }, [message]).complete).toBe(false);
  });
});
