import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openMessage, sealMessage } from '../src/crypto/message.ts';
import { RandomPool } from '../src/crypto/random-pool.ts';
import { systemRandomSource } from '../src/crypto/random.ts';
import { SINGLE_CHUNK_CAPACITY, SINGLE_CHUNK_OVERHEAD_BYTES, openSingleChunk, sealSingleChunk } from '../src/crypto/single-chunk.ts';
import { flipBit, patterned, secretKey, thrownBy } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

const KEY = secretKey(patterned(32, 'key'));
const CONTEXT = patterned(20, 'context');

function seal(plaintext: Uint8Array, context: readonly Uint8Array[] = [CONTEXT], key = KEY): Uint8Array {
  const message = new Uint8Array(plaintext.byteLength + SINGLE_CHUNK_OVERHEAD_BYTES);
  message.set(systemRandomSource.bytes(24));
  sealSingleChunk(key, context, plaintext, message);
  return message;
}

describe('a message of one chunk', () => {
  test('is a core message, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.uint8Array({ maxLength: 30 })), (plaintext, parts) => {
        const context = new Uint8Array(Buffer.concat(parts));
        expect(openMessage(KEY, context, seal(plaintext, parts))).toEqual(plaintext);
        expect(openSingleChunk(KEY, parts, sealMessage(KEY, context, plaintext, systemRandomSource))).toEqual(plaintext);
      }),
    );
    expect(openMessage(KEY, CONTEXT, seal(patterned(SINGLE_CHUNK_CAPACITY)))).toEqual(patterned(SINGLE_CHUNK_CAPACITY));
  });

  test('is all that is opened: a longer message is not', () => {
    expect(SINGLE_CHUNK_CAPACITY).toBe(16_383);
    for (const size of [16_384, 16_385, 40_000]) {
      expect(openSingleChunk(KEY, [CONTEXT], sealMessage(KEY, CONTEXT, patterned(size), systemRandomSource))).toBeUndefined();
      expect(() => seal(patterned(size))).toThrow(RangeError);
    }
  });

  test.each([71, 73])('is not written into %i bytes of room for an empty plaintext', (room) => {
    expect(() => {
      sealSingleChunk(KEY, [CONTEXT], new Uint8Array(0), new Uint8Array(room));
    }).toThrow(RangeError);
  });

  test('is refused at every bit flip and truncation', () => {
    const message = seal(patterned(32));
    for (let bit = 0; bit < message.byteLength * 8; bit++) expect(openSingleChunk(KEY, [CONTEXT], flipBit(message, bit))).toBeUndefined();
    for (let length = 0; length < message.byteLength; length++) expect(openSingleChunk(KEY, [CONTEXT], message.subarray(0, length))).toBeUndefined();
  });

  test.each([0, 16, 31, 33, 64])('takes no key of %i bytes', (size) => {
    const key = secretKey(patterned(size));
    expect(thrownBy(() => seal(patterned(3), [CONTEXT], key))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(openSingleChunk(key, [CONTEXT], seal(patterned(3)))).toBeUndefined();
  });
});

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly ctx: string;
  readonly ct: string;
  readonly msgLength: number;
  readonly msgSha512: string;
  readonly result: 'valid' | 'invalid';
}

describeVectors('the public vectors of Cobblestone-256, as messages of one chunk', 'wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json', (data) => {
  const vectors = (data as { testGroups: { tests: Vector[] }[] }).testGroups.flatMap(({ tests }) => tests);
  const short = vectors.filter(({ result, msgLength }) => result === 'valid' && msgLength <= SINGLE_CHUNK_CAPACITY);
  const others = vectors.filter((vector) => !short.includes(vector));
  const opened = ({ key, ctx, ct }: Vector): Uint8Array | undefined => openSingleChunk(secretKey(hex(key)), [hex(ctx)], inflateSync(hex(ct)));

  test('there are some of each kind', () => {
    expect(short.length).toBeGreaterThan(1);
    expect(others.length).toBeGreaterThan(20);
  });

  test.each(short)('$tcId opens: $comment', (vector) => {
    const plaintext = opened(vector) ?? new Uint8Array(1);
    expect(plaintext.byteLength).toBe(vector.msgLength);
    expect(createHash('sha512').update(plaintext).digest('hex')).toBe(vector.msgSha512);
  });

  test.each(others)('$tcId does not open, for being longer or $result: $comment', (vector) => {
    expect(opened(vector)).toBeUndefined();
  });
});

describe('pooled randomness', () => {
  test('gives what was asked for, in memory of its own', () => {
    const pool = new RandomPool();
    const [one, two] = [pool.bytes(24), pool.bytes(24)];
    expect(one.buffer.byteLength).toBe(24);
    expect(two).not.toEqual(one);
    const before = Uint8Array.from(two);
    one.fill(0);
    expect(two).toEqual(before);
  });

  test('is never given out twice, across refills and odd sizes', () => {
    const pool = new RandomPool();
    const seen = new Set<string>();
    let count = 0;
    for (const size of [24, 24, 4_096, 4_095, 24, 1_000, 4_000, 33]) {
      const bytes = Buffer.from(pool.bytes(size));
      expect(bytes.byteLength).toBe(size);
      for (let at = 0; at + 8 <= size; at += 8, count++) seen.add(bytes.toString('hex', at, at + 8));
    }
    expect(seen.size).toBe(count);
  });

  test('is chance to the last byte: nothing that was given out is given out again as the zeros it left', () => {
    const pool = new RandomPool();
    const zeros = Array.from({ length: 4_096 }, () => pool.bytes(1)[0]).filter((byte) => byte === 0);
    // 16 are expected; chance gives 80 never.
    expect(zeros.length).toBeLessThan(80);
  });

  test('is not given beyond the pool at once', () => {
    expect(() => new RandomPool().bytes(4_097)).toThrow(RangeError);
  });
});
