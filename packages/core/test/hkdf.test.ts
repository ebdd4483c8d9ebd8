import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hkdfExpand, hkdfExpandSha512 } from '../src/crypto/hkdf.ts';
import { patterned, secretKey } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

const PRK = patterned(64, 'prk');

/** RFC 5869 section 2.3 as its formula stands: T(n) is a function of T(n-1). */
function reference(prk: Uint8Array, info: Uint8Array, length: number): Buffer {
  const t: Buffer[] = [Buffer.alloc(0)];
  while (t.length <= Math.ceil(length / 64)) {
    t.push(
      createHmac('sha512', prk)
        .update(Buffer.concat([t.at(-1) ?? Buffer.alloc(0), info, Buffer.from([t.length])]))
        .digest(),
    );
  }
  return Buffer.concat(t).subarray(0, length);
}

interface HkdfFile {
  numberOfTests: number;
  testGroups: { tests: { tcId: number; ikm: string; salt: string; info: string; size: number; okm: string; result: string }[] }[];
}

describe('HKDF-Expand with SHA-512', () => {
  test.each([1, 2, 63, 64, 65, 76, 127, 128, 129, 255 * 64 - 1, 255 * 64])('gives the %i bytes of the formula', (length) => {
    const info = patterned(40, 'info');
    const okm = hkdfExpandSha512(secretKey(PRK), info, length);
    expect(okm.byteLength).toBe(length);
    expect(Buffer.from(okm).equals(reference(PRK, info, length))).toBe(true);
  });

  test.each([0, -1, 255 * 64 + 1, 1.5, NaN, Infinity])('refuses a length of %d', (length) => {
    expect(() => hkdfExpandSha512(secretKey(PRK), new Uint8Array(0), length)).toThrow(RangeError);
  });

  test('agrees with the formula for any key, info and length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 700 }),
        (prk, info, length) => {
          const okm = hkdfExpandSha512(secretKey(prk), info, length);
          expect(Buffer.from(okm).equals(reference(prk, info, length))).toBe(true);
        },
      ),
    );
  });

  test('a shorter output is the beginning of a longer one', () => {
    const long = hkdfExpandSha512(secretKey(PRK), patterned(9), 200);
    for (let length = 1; length <= 200; length++) {
      expect(hkdfExpandSha512(secretKey(PRK), patterned(9), length)).toEqual(long.slice(0, length));
    }
  });

  test('each result owns its memory: writing to one changes no other, and no more is attached to it', () => {
    const info = patterned(5);
    const first = hkdfExpandSha512(secretKey(PRK), info, 76);
    const second = hkdfExpandSha512(secretKey(PRK), info, 76);
    first.fill(0xee);
    expect(Buffer.from(second).equals(reference(PRK, info, 76))).toBe(true);
    expect(second.buffer.byteLength).toBe(76);
    expect(Object.getPrototypeOf(second)).toBe(Uint8Array.prototype);
  });

  test('leaves its inputs as they were', () => {
    const info = patterned(30);
    hkdfExpandSha512(secretKey(PRK), info, 100);
    expect(info).toEqual(patterned(30));
  });

  describeVectors('RFC 5869 appendix A, with SHA-256', 'rfc/rfc5869.json', (data) => {
    const cases = data as { name: string; hash: 'sha256'; ikm: string; salt: string; info: string; L: number; okm: string }[];

    test.each(cases)('case $name', ({ hash, ikm, salt, info, L, okm }) => {
      // An empty salt is HashLen zero bytes (section 2.2), which HMAC pads to the same key.
      const prk = secretKey(createHmac(hash, hex(salt)).update(hex(ikm)).digest());
      expect(Buffer.from(hkdfExpand(hash, prk, hex(info), L)).toString('hex')).toBe(okm);
    });
  });

  describeVectors('Wycheproof hkdf_sha512', 'wycheproof/hkdf_sha512_test.json', (data) => {
    const { numberOfTests, testGroups } = data as HkdfFile;
    const cases = testGroups.flatMap((group) => group.tests);

    test('holds the cases that it announces', () => {
      expect(cases.length).toBe(numberOfTests);
      expect(cases.length).toBeGreaterThan(0);
    });

    test.each(cases)('case $tcId ($size bytes, $result)', ({ ikm, salt, info, size, okm, result }) => {
      const prk = secretKey(createHmac('sha512', hex(salt)).update(hex(ikm)).digest());
      if (result === 'valid') {
        expect(Buffer.from(hkdfExpandSha512(prk, hex(info), size)).toString('hex')).toBe(okm);
      } else {
        expect(() => hkdfExpandSha512(prk, hex(info), size)).toThrow(RangeError);
      }
    });
  });
});
