import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameSealer } from '../src/crypto/frame-sealer.ts';
import { AES_256_GCM_1M, COBBLESTONE_256, type FramedSuite, deriveFrameKey } from '../src/crypto/framed-aead.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { patterned, secretKey, thrownBy } from './support/bytes.ts';
import { REFERENCE_SUITES, cutAt, referenceSeal, same } from './support/reference.ts';

const F = 1_048_576;
const KEY = patterned(32, 'key');
const SALT = patterned(24, 'salt');
const CONTEXT = patterned(70, 'context');
const SUITES = { 1: COBBLESTONE_256, 3: AES_256_GCM_1M } as const;
const TINY: FramedSuite = { id: 9, label: 'tiny', frameBytes: 48, leadBytes: 8, maxFrames: 3 };

function sealer(suite: FramedSuite): FrameSealer {
  return new FrameSealer(deriveFrameKey(suite, secretKey(KEY), SALT, CONTEXT));
}

function sealChunks(suite: FramedSuite, chunks: readonly Uint8Array[]): Buffer {
  const frames = sealer(suite);
  return Buffer.concat([...chunks.flatMap((chunk) => frames.push(chunk)), frames.end()]);
}

const AROUND_EDGES: readonly (readonly [1 | 3, number])[] = [
  ...[0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 49_152].map((size) => [1, size] as const),
  ...[0, 1, F - 113, F - 112, F - 111, 2 * F - 129, 2 * F - 128, 2 * F - 127, 3 * F - 144].map((size) => [3, size] as const),
];

describe('FrameSealer', () => {
  test.each(AROUND_EDGES)('suite %i over %i bytes is what a one-shot reference gives', (id, size) => {
    const plaintext = patterned(size);
    const { frames } = referenceSeal(REFERENCE_SUITES[id], KEY, SALT, CONTEXT, plaintext);
    expect(same(sealChunks(SUITES[id], [plaintext]), Buffer.concat(frames))).toBe(true);
  });

  test.each([1, 3] as const)('the commitment of suite %i is what a one-shot reference gives', (id) => {
    const { commitment } = referenceSeal(REFERENCE_SUITES[id], KEY, SALT, CONTEXT, new Uint8Array(0));
    expect(same(deriveFrameKey(SUITES[id], secretKey(KEY), SALT, CONTEXT).commitment, commitment)).toBe(true);
  });

  test('any chunking of the plaintext gives the same ciphertext', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 16_384, 40_000), fc.array(fc.nat({ max: 40_000 }), { maxLength: 12 }), (size, cuts) => {
        const plaintext = patterned(size);
        const { frames } = referenceSeal(REFERENCE_SUITES[1], KEY, SALT, CONTEXT, plaintext);
        return same(sealChunks(COBBLESTONE_256, cutAt(plaintext, cuts)), Buffer.concat(frames));
      }),
    );
  });

  test('any chunking of several 1 MiB frames gives the same ciphertext', () => {
    const plaintext = patterned(2 * F);
    const whole = Buffer.concat(referenceSeal(REFERENCE_SUITES[3], KEY, SALT, CONTEXT, plaintext).frames);
    const place = fc.oneof(fc.nat({ max: 2 * F }), fc.constantFrom(F - 113, F - 112, F - 111, 2 * F - 128));
    fc.assert(
      fc.property(fc.array(place, { maxLength: 6 }), (cuts) => same(sealChunks(AES_256_GCM_1M, cutAt(plaintext, cuts)), whole)),
      { numRuns: 25 },
    );
  });

  test('a chunk is used up when push returns: overwriting its memory changes nothing', () => {
    const plaintext = patterned(40_000);
    const expected = sealChunks(COBBLESTONE_256, [plaintext]);
    const frames = sealer(COBBLESTONE_256);
    const chunk = new Uint8Array(1_000);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < plaintext.byteLength; at += 1_000) {
      chunk.set(plaintext.subarray(at, at + 1_000));
      pieces.push(...frames.push(chunk));
      chunk.fill(0xaa);
    }
    expect(same(Buffer.concat([...pieces, frames.end()]), expected)).toBe(true);
  });

  test('what one push gave is not overwritten by the next', () => {
    const frames = sealer(TINY);
    const first = frames.push(patterned(20));
    const copy = Buffer.concat(first);
    frames.push(patterned(50, 'other'));
    expect(same(Buffer.concat(first), copy)).toBe(true);
  });

  test('a message that ends on a frame edge has a last frame that is a tag alone', () => {
    expect(sealChunks(TINY, [patterned(24)]).byteLength).toBe(24 + 16 + 16);
    expect(sealChunks(TINY, [patterned(24 + 32)]).byteLength).toBe(24 + 32 + 3 * 16);
  });

  test('one byte less than the largest number of frames fits', () => {
    expect(sealChunks(TINY, [patterned(24 + 32 + 31)]).byteLength).toBe(24 + 32 + 31 + 3 * 16);
  });

  test('a message of too many frames is refused, and cannot be ended as if nothing had happened', () => {
    const frames = sealer(TINY);
    frames.push(patterned(24 + 32));
    expect(isKeyfoldError(thrownBy(() => frames.push(patterned(32))), 'LIMIT_EXCEEDED')).toBe(true);
    expect(isKeyfoldError(thrownBy(() => frames.end()), 'CLOSED')).toBe(true);
    expect(isKeyfoldError(thrownBy(() => frames.push(patterned(1))), 'CLOSED')).toBe(true);
  });

  test('after the end nothing can be pushed, and the end comes once', () => {
    const frames = sealer(COBBLESTONE_256);
    frames.push(patterned(10));
    frames.end();
    expect(isKeyfoldError(thrownBy(() => frames.push(patterned(1))), 'CLOSED')).toBe(true);
    expect(isKeyfoldError(thrownBy(() => frames.push(new Uint8Array(0))), 'CLOSED')).toBe(true);
    expect(isKeyfoldError(thrownBy(() => frames.end()), 'CLOSED')).toBe(true);
  });
});
