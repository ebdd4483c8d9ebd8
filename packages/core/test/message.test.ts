import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openMessage, sealMessage } from '../src/crypto/message.ts';
import { systemRandomSource, type RandomSource } from '../src/crypto/random.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { flipBit, patterned, secretKey, thrownBy } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

const KEY = secretKey(patterned(32, 'key'));
const OTHER_KEY = secretKey(patterned(32, 'other key'));
const CONTEXT = patterned(20, 'context');
const LEAD = 56;
const CHUNK = 16_400;
const CAPACITY = 16_384;

function seal(plaintext: Uint8Array, context = CONTEXT): Uint8Array {
  return sealMessage(KEY, context, plaintext, systemRandomSource);
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

/** A sealed message taken apart: salt and commitment, then its chunks. */
function parts(message: Uint8Array): { lead: Uint8Array; chunks: Uint8Array[] } {
  const chunks: Uint8Array[] = [];
  for (let at = LEAD; at < message.byteLength; at += CHUNK) chunks.push(message.subarray(at, at + CHUNK));
  return { lead: message.subarray(0, LEAD), chunks };
}

function rebuilt(lead: Uint8Array, chunks: readonly (Uint8Array | undefined)[]): Uint8Array {
  return Buffer.concat([lead, ...chunks.filter((chunk) => chunk !== undefined)]);
}

describe('a core message', () => {
  test.each([
    0, 1, 15, 16, 17,
    CAPACITY - 1, CAPACITY, CAPACITY + 1,
    2 * CAPACITY - 1, 2 * CAPACITY, 2 * CAPACITY + 1,
    5 * CAPACITY - 1, 5 * CAPACITY, 5 * CAPACITY + 1,
    16 * CAPACITY,
  ])('of %i bytes opens to what was sealed and has the specified length', (size) => {
    const plaintext = patterned(size);
    const message = seal(plaintext);
    expect(message.byteLength).toBe(LEAD + size + 16 * (Math.floor(size / CAPACITY) + 1));
    expect(same(openMessage(KEY, CONTEXT, message), plaintext)).toBe(true);
  });

  test('opens to what was sealed for any plaintext and context', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 3 * CAPACITY + 2 }).map((size) => patterned(size))),
        fc.uint8Array({ maxLength: 100 }),
        (plaintext, context) => {
          expect(same(openMessage(KEY, context, seal(plaintext, context)), plaintext)).toBe(true);
        },
      ),
    );
  });

  test('a bit flip anywhere in a large message is refused', () => {
    const message = seal(patterned(2 * CAPACITY + 100));
    fc.assert(
      fc.property(fc.nat({ max: message.byteLength * 8 - 1 }), (bit) => {
        expect(openMessage(KEY, CONTEXT, flipBit(message, bit))).toBeUndefined();
      }),
    );
  });

  test('every bit flip of a small message is refused', () => {
    const message = seal(patterned(32));
    for (let bit = 0; bit < message.byteLength * 8; bit++) {
      expect(openMessage(KEY, CONTEXT, flipBit(message, bit))).toBeUndefined();
    }
  });

  test('every truncation of a small message is refused, at either end', () => {
    const message = seal(patterned(32));
    for (let length = 0; length < message.byteLength; length++) {
      expect(openMessage(KEY, CONTEXT, message.subarray(0, length))).toBeUndefined();
      expect(openMessage(KEY, CONTEXT, message.subarray(message.byteLength - length))).toBeUndefined();
    }
  });

  test('every truncation around the chunks of a large message is refused', () => {
    const message = seal(patterned(2 * CAPACITY + 5));
    for (const edge of [LEAD, LEAD + CHUNK, LEAD + 2 * CHUNK, message.byteLength]) {
      for (let length = edge - 40; length < Math.min(edge + 40, message.byteLength); length++) {
        expect(openMessage(KEY, CONTEXT, message.subarray(0, length))).toBeUndefined();
      }
    }
  });

  test.each([0, 32, CAPACITY - 1, CAPACITY])('a message of %i bytes may not be extended', (size) => {
    const message = seal(patterned(size));
    for (const extra of [1, 15, 16, 17, CHUNK]) {
      expect(openMessage(KEY, CONTEXT, Buffer.concat([message, new Uint8Array(extra)]))).toBeUndefined();
      expect(openMessage(KEY, CONTEXT, Buffer.concat([message, message.subarray(message.byteLength - 16)]))).toBeUndefined();
    }
  });

  test.each([1, 2, 3])('a message of %i full chunks and nothing more is truncated', (chunks) => {
    const message = seal(patterned(chunks * CAPACITY));
    expect(openMessage(KEY, CONTEXT, message.subarray(0, LEAD + chunks * CHUNK))).toBeUndefined();
  });

  test.each([1, 15])('a rest of %i bytes after full chunks is refused', (rest) => {
    const message = seal(patterned(CAPACITY));
    expect(openMessage(KEY, CONTEXT, message.subarray(0, LEAD + CHUNK + rest))).toBeUndefined();
  });

  test('chunks swapped, dropped, duplicated or appended are refused', () => {
    const { lead, chunks } = parts(seal(patterned(3 * CAPACITY + 9)));
    const [a, b, c, last] = chunks;
    expect(same(openMessage(KEY, CONTEXT, rebuilt(lead, [a, b, c, last])), patterned(3 * CAPACITY + 9))).toBe(true);
    for (const altered of [
      [b, a, c, last], [a, c, b, last], [c, b, a, last], [last, a, b, c], // swapped
      [b, c, last], [a, c, last], [a, b, last], [a, b, c], [last], [], // dropped
      [a, a, b, c, last], [a, a, c, last], [a, b, b, last], [a, b, c, c, last], [a, b, c, last, last], // duplicated
    ]) {
      expect(openMessage(KEY, CONTEXT, rebuilt(lead, altered))).toBeUndefined();
    }
  });

  test('chunks of another message under the same key and context are refused', () => {
    const one = parts(seal(patterned(CAPACITY + 9)));
    const two = parts(seal(patterned(CAPACITY + 9)));
    expect(openMessage(KEY, CONTEXT, rebuilt(one.lead, [two.chunks[0], one.chunks[1]]))).toBeUndefined();
    expect(openMessage(KEY, CONTEXT, rebuilt(one.lead, [one.chunks[0], two.chunks[1]]))).toBeUndefined();
    expect(openMessage(KEY, CONTEXT, rebuilt(one.lead, two.chunks))).toBeUndefined();
  });

  test('another key or another context is refused', () => {
    const message = seal(patterned(32));
    expect(openMessage(OTHER_KEY, CONTEXT, message)).toBeUndefined();
    for (const context of [
      new Uint8Array(0),
      CONTEXT.subarray(1),
      CONTEXT.subarray(0, -1),
      Buffer.concat([CONTEXT, new Uint8Array(1)]),
      flipBit(CONTEXT, 0),
      flipBit(CONTEXT, CONTEXT.byteLength * 8 - 1),
    ]) {
      expect(openMessage(KEY, context, message)).toBeUndefined();
    }
  });

  test('salt and context cannot trade bytes', () => {
    const message = seal(patterned(32), Uint8Array.of(1, 2, 3));
    const shifted = Buffer.concat([message.subarray(0, 23), message.subarray(24)]);
    expect(openMessage(KEY, Buffer.concat([message.subarray(23, 24), Uint8Array.of(1, 2, 3)]), shifted)).toBeUndefined();
  });

  test.each([0, 16, 31, 33, 64])('a key of %i bytes neither seals nor opens', (size) => {
    const key = secretKey(patterned(size));
    const error = thrownBy(() => sealMessage(key, CONTEXT, new Uint8Array(0), systemRandomSource));
    expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
    expect(openMessage(key, CONTEXT, seal(new Uint8Array(0)))).toBeUndefined();
  });

  test('takes its 24 bytes of salt from the given source, once a message', () => {
    const lengths: number[] = [];
    const source: RandomSource = {
      bytes: (length) => {
        lengths.push(length);
        return patterned(length, 'fixed salt');
      },
    };
    const message = sealMessage(KEY, CONTEXT, patterned(3 * CAPACITY), source);
    expect(lengths).toEqual([24]);
    expect(message.subarray(0, 24)).toEqual(patterned(24, 'fixed salt'));
    expect(message).toEqual(sealMessage(KEY, CONTEXT, patterned(3 * CAPACITY), source));
  });

  test('sealing the same thing twice shares no byte but by chance', () => {
    const salts = new Set(Array.from({ length: 2_000 }, () => Buffer.from(seal(new Uint8Array(0)).subarray(0, 24)).toString('hex')));
    expect(salts.size).toBe(2_000);
  });

  test('results are plain Uint8Arrays with memory of their own', () => {
    const message = seal(patterned(40));
    const opened = openMessage(KEY, CONTEXT, Buffer.from(message));
    for (const result of [message, opened]) {
      expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype);
      expect(result?.buffer.byteLength).toBe(result?.byteLength);
    }
    message.fill(0);
    expect(same(opened, patterned(40))).toBe(true);
  });

  test('opens where it lies in the middle of a larger buffer', () => {
    const message = seal(patterned(40));
    const around = Buffer.concat([patterned(7), message, patterned(9)]);
    expect(same(openMessage(KEY, CONTEXT, around.subarray(7, 7 + message.byteLength)), patterned(40))).toBe(true);
  });
});

interface ChunkedFile {
  numberOfTests: number;
  testGroups: {
    tests: { tcId: number; comment: string; key: string; ctx: string; ct: string; msgLength?: number; msgSha512?: string; result: string }[];
  }[];
}

describeVectors('Wycheproof Cobblestone-256: whole messages', 'wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json', (data) => {
  const { numberOfTests, testGroups } = data as ChunkedFile;
  const cases = testGroups.flatMap((group) => group.tests);

  test('the file holds the cases that it announces', () => {
    expect(cases.length).toBe(numberOfTests);
    expect(cases.filter(({ result }) => result === 'valid').length).toBe(10);
  });

  test.each(cases)('case $tcId ($comment) is $result', ({ key, ctx, ct, msgLength, msgSha512, result }) => {
    const message = inflateSync(hex(ct));
    const opened = openMessage(secretKey(hex(key)), hex(ctx), message);
    if (result !== 'valid') {
      expect(opened).toBeUndefined();
      return;
    }
    if (opened === undefined) throw new Error('a valid message was refused');
    expect(opened.byteLength).toBe(msgLength);
    expect(createHash('sha512').update(opened).digest('hex')).toBe(msgSha512);

    // With the salt of the vector, sealing gives the vector's bytes.
    const source: RandomSource = { bytes: () => new Uint8Array(message.subarray(0, 24)) };
    expect(same(sealMessage(secretKey(hex(key)), hex(ctx), opened, source), message)).toBe(true);
  });
});
